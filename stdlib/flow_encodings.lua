-- The functions of flow.text between text and its forms for machines. They take any bytes.
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local encodings = {}

local function need(name, value) options.kind("flow.text." .. name, "text", value, "string") end

local function wrong(name, position, what, hint)
  raise { code = "PG1077", kind = "validation", position = position,
          message = ("flow.text.%s: %s at character %d."):format(name, what, position), hint = hint }
end

local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local letter, value_of = {}, {}
for value = 0, 63 do
  letter[value] = letters:sub(value + 1, value + 1)
  value_of[letters:byte(value + 1)] = value
end
value_of[45], value_of[95] = 62, 63 -- the alphabet for URLs: - and _

--- Base64 (RFC 4648); `{ url = true }` takes the alphabet for URLs and leaves the padding out.
function encodings.base64_encode(s, given)
  need("base64_encode", s)
  given = options.check("flow.text.base64_encode", given, { url = "boolean" })
  local parts = {}
  for at = 1, #s, 3 do
    local a, b, c = s:byte(at, at + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    parts[#parts + 1] = letter[bits >> 18] .. letter[bits >> 12 & 63]
      .. (b and letter[bits >> 6 & 63] or "=") .. (c and letter[bits & 63] or "=")
  end
  local text = table.concat(parts)
  if given.url then text = text:gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" }) end
  return text
end

--- The bytes of Base64 text of either alphabet, with or without padding; line ends and spaces are left out.
function encodings.base64_decode(s)
  need("base64_decode", s)
  local bare = s:gsub("%s", ""):gsub("^(.-)==?$", "%1")
  local parts = {}
  for at = 1, #bare, 4 do
    local bits, count = 0, 0
    for place = at, math.min(at + 3, #bare) do
      local value = value_of[bare:byte(place)]
      if not value then
        wrong("base64_decode", s:find("[^%w+/_%s-]") or place, "the text is no Base64",
              "Only A-Z, a-z, 0-9, + and / (or - and _) belong there, and = at the end.")
      end
      bits, count = bits << 6 | value, count + 1
    end
    if count == 1 then wrong("base64_decode", #s, "the text is cut off", "Check that all of it arrived.") end
    bits = bits << 6 * (4 - count)
    parts[#parts + 1] = string.char(bits >> 16, bits >> 8 & 255, bits & 255):sub(1, count - 1)
  end
  return table.concat(parts)
end

--- The text as a part of a URL (RFC 3986): everything but letters, digits and - . _ ~ is written as %XX.
function encodings.url_encode(s)
  need("url_encode", s)
  return (s:gsub("[^%w._~-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- The text that %XX stands for; a `+` stays.
function encodings.url_decode(s)
  need("url_decode", s)
  local position = s:find("%%%X") or s:find("%%%x%X") or s:find("%%%x?$")
  if position then
    wrong("url_decode", position, "a percent sign has no two hexadecimal digits after it",
          "A percent sign that is meant is written %25.")
  end
  return (s:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

--- The SHA-256 of the bytes, in hexadecimal digits.
function encodings.sha256(s)
  need("sha256", s)
  if utf8.len(s) then return host.sha256(s) end
  return host.sha256(encodings.base64_encode(s), true)
end

return encodings
