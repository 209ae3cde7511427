-- flow.text: text, which is UTF-8, by characters; its regular expressions are in flow_regex, its encodings in
-- flow_encodings
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local text = {}

for _, piece in ipairs { "flow_regex", "flow_encodings" } do
  for name, f in pairs(host.load(piece)) do text[name] = f end
end

local function refuse(name, message, hint)
  raise { code = "PG1011", kind = "script", message = ("flow.text.%s: %s."):format(name, message), hint = hint }
end

local function need(name, what, value) options.kind("flow.text." .. name, what, value, "string") end

--- Text that is UTF-8; its length in characters.
local function characters(name, s)
  need(name, "text", s)
  local count, wrong = utf8.len(s)
  if count then return count end
  raise { code = "PG1072", kind = "validation", position = wrong,
          message = ("flow.text.%s: the text is no UTF-8 from byte %d on."):format(name, wrong),
          hint = "Bytes that are no text can be given to flow.text.base64_encode and sha256 only." }
end

-- What counts as a space beside those of ASCII: the no-break spaces, the zero-width space and the byte order mark.
local spaces = { ["\u{A0}"] = true, ["\u{202F}"] = true, ["\u{200B}"] = true, ["\u{FEFF}"] = true }

--- How many bytes of space begin (or end) a part of a text.
local function space_at(s, at, is_end)
  if s:find("^%s", at) then return 1 end
  for length = 2, 3 do
    local part = is_end and s:sub(at - length + 1, at) or s:sub(at, at + length - 1)
    if spaces[part] then return length end
  end
  return 0
end

--- The text without the spaces at its ends.
function text.trim(s)
  need("trim", "text", s)
  local from, to = 1, #s
  while from <= to do
    local length = space_at(s, from, false)
    if length == 0 then break end
    from = from + length
  end
  while to >= from do
    local length = space_at(s, to, true)
    if length == 0 then break end
    to = to - length
  end
  return s:sub(from, to)
end

--- The text in small letters.
function text.lower(s)
  characters("lower", s)
  return host.text_case("lower", s)
end

--- The text in capitals.
function text.upper(s)
  characters("upper", s)
  return host.text_case("upper", s)
end

--- How many characters there are; `#s` counts bytes.
function text.length(s) return characters("length", s) end

function text.starts_with(s, start)
  need("starts_with", "text", s)
  need("starts_with", "start", start)
  return s:sub(1, #start) == start
end

function text.ends_with(s, ending)
  need("ends_with", "text", s)
  need("ends_with", "ending", ending)
  return ending == "" or s:sub(-#ending) == ending
end

--- Whether the part stands in the text, as it is.
function text.contains(s, part)
  need("contains", "text", s)
  need("contains", "part", part)
  return s:find(part, 1, true) ~= nil
end

--- The parts between a separator, which is taken as it is.
function text.split(s, separator)
  need("split", "text", s)
  need("split", "separator", separator)
  if separator == "" then refuse("split", "the separator is empty", "Write for example flow.text.split(s, \",\").") end
  local parts, at = {}, 1
  while true do
    local from, to = s:find(separator, at, true)
    if not from then break end
    parts[#parts + 1] = s:sub(at, from - 1)
    at = to + 1
  end
  parts[#parts + 1] = s:sub(at)
  return host.array(parts)
end

--- Every `old` replaced by `new`, both taken as they are.
function text.replace(s, old, new)
  need("replace", "text", s)
  need("replace", "old", old)
  need("replace", "new", new)
  if old == "" then refuse("replace", "what to replace is empty", "Name the text to replace.") end
  return table.concat(text.split(s, old), new)
end

--- At most n characters; what is cut ends in "…", or in an ending that is given.
function text.truncate(s, n, ending)
  local count = characters("truncate", s)
  options.kind("flow.text.truncate", "n", n, "integer")
  if ending == nil then ending = "…" end
  local room = n - characters("truncate", ending)
  if room < 0 then
    refuse("truncate", ("%d characters have no room for the ending \"%s\""):format(n, ending),
           "Give a larger number, or \"\" as the ending.")
  end
  if count <= n then return s end
  return s:sub(1, utf8.offset(s, room + 1) - 1) .. ending
end

local function padding(name, s, width, with)
  local count = characters(name, s)
  options.kind("flow.text." .. name, "width", width, "integer")
  if with == nil then with = " " end
  if characters(name, with) ~= 1 then
    refuse(name, "what to fill up with is not one character", ("Write flow.text.%s(s, 8, \"0\")."):format(name))
  end
  return with:rep(width - count)
end

--- The text filled up at its start to a width in characters.
function text.pad_start(s, width, with) return padding("pad_start", s, width, with) .. s end

--- The text filled up at its end to a width in characters.
function text.pad_end(s, width, with) return s .. padding("pad_end", s, width, with) end

--- The text as a part of an address: small letters and digits, with a hyphen for everything between.
function text.slug(s)
  characters("slug", s)
  return (text.replace_all(host.text_case("ascii", s), [[[^\pL\pN]+]], "-"):gsub("^%-", ""):gsub("%-$", ""))
end

--- A number for people: its decimals, and a mark between thousands.
function text.number(value, decimals, given)
  options.kind("flow.text.number", "value", value, "number")
  options.kind("flow.text.number", "decimals", decimals, { "integer", "nil" })
  given = options.check("flow.text.number", given, { thousands = "string", decimal = "string" })
  decimals = decimals or 0
  if decimals < 0 or decimals > 15 then
    refuse("number", ("%d decimals are not possible; 0 to 15 are"):format(decimals), "Correct the number of decimals.")
  end
  if value ~= value or math.abs(value) >= 1e18 then
    refuse("number", "the value is no real number, or too large", "Check what it is computed from.")
  end
  local shown = math.type(value) == "integer" and ("%d."):format(value) .. ("0"):rep(decimals)
    or ("%." .. decimals .. "f"):format(value)
  local sign, digits, rest = shown:match("^(%-?)(%d+)%.?(%d*)$")
  local parts, first = {}, #digits % 3
  if first > 0 then parts[1] = digits:sub(1, first) end
  for at = first + 1, #digits, 3 do parts[#parts + 1] = digits:sub(at, at + 2) end
  if not digits:find("[1-9]") and not rest:find("[1-9]") then sign = "" end
  return sign .. table.concat(parts, given.thousands or ",") .. (rest ~= "" and (given.decimal or ".") .. rest or "")
end

return host.load("sealed")("flow.text", text)
