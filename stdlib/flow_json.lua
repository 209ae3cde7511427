-- flow.json: text to values and back, and what is done with such values
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local json = { null = host.null, array = host.array }

local deepest = 64

local function refuse(verb, message, hint)
  raise { code = "PG1011", kind = "script", message = verb .. ": " .. message, hint = hint }
end

local function too_deep(verb)
  raise { code = "PG1020", kind = "validation",
          message = ("%s: the value nests deeper than %d levels, or contains itself."):format(verb, deepest),
          hint = "Keep plain data only: text, numbers, true, false, lists and tables." }
end

--- Where the text ends that begins with the quotation mark at `at`.
local function string_end(text, at)
  while true do
    at = text:find("[\"\\]", at + 1)
    if text:byte(at) == 34 then return at end
    at = at + 1
  end
end

--- JSON text, which is right and has no spaces, over several lines.
local function indented(text, indent)
  local parts, level, at = {}, 0, 1
  local function line() parts[#parts + 1] = "\n" .. indent:rep(level) end
  while at <= #text do
    local found = text:find("[%[%]{},:\"]", at) or #text + 1
    local mark = text:sub(found, found)
    parts[#parts + 1] = text:sub(at, found - 1)
    at = found + 1
    if mark == "\"" then
      at = string_end(text, found) + 1
      parts[#parts + 1] = text:sub(found, at - 1)
    elseif mark == ":" then
      parts[#parts + 1] = ": "
    elseif mark == "," then
      parts[#parts + 1] = ","
      line()
    elseif mark == "]" or mark == "}" then
      level = level - 1
      line()
      parts[#parts + 1] = mark
    elseif text:find("^[%]}]", at) then
      parts[#parts + 1] = text:sub(found, at)
      at = at + 1
    elseif mark ~= "" then
      parts[#parts + 1] = mark
      level = level + 1
      line()
    end
  end
  return table.concat(parts)
end

--- The text of a value; `indent` is the number of spaces for each level.
function json.encode(value, given)
  given = options.check("flow.json.encode", given, { indent = "integer" })
  local text = host.json_encode(value)
  if not given.indent then return text end
  if given.indent < 1 or given.indent > 8 then
    refuse("flow.json.encode", "`indent` is a number of spaces from 1 to 8.", "Write { indent = 2 }.")
  end
  return indented(text, (" "):rep(given.indent))
end

function json.decode(text)
  options.kind("flow.json.decode", "text", text, "string")
  return host.json_decode(text)
end

--- The keys of a path such as `items[1].price`.
local function keys_of(path)
  local keys, at = {}, 1
  while at <= #path do
    local from, to, number = path:find("^%[(%d+)%]", at)
    if from then
      keys[#keys + 1] = math.tointeger(tonumber(number))
    else
      local pattern = at == 1 and "^([^.%[%]]+)" or "^%.([^.%[%]]+)"
      local name
      from, to, name = path:find(pattern, at)
      if from then keys[#keys + 1] = name end
    end
    if not from then
      refuse("flow.json.get", ("the path \"%s\" goes wrong at character %d."):format(path, at),
             "Write \"items[1].price\", or a list of keys: { \"items\", 1, \"unit.price\" }.")
    end
    at = to + 1
  end
  return keys
end

--- The value at a path, or the default where something on the way is not there or is null.
function json.get(value, path, default)
  options.kind("flow.json.get", "path", path, { "string", "table" })
  for _, key in ipairs(type(path) == "string" and keys_of(path) or path) do
    if type(value) ~= "table" then return default end
    value = value[key]
  end
  if value == nil or value == host.null then return default end
  return value
end

local function is_list(value) return host.is_array(value) or rawlen(value) > 0 end

local function merged(under, over, depth)
  if depth > deepest then too_deep("flow.json.merge") end
  if type(over) ~= "table" then return over end
  local result = {}
  if is_list(over) then
    for index, item in ipairs(over) do result[index] = merged(nil, item, depth + 1) end
    return host.array(result)
  end
  if type(under) == "table" and not is_list(under) then
    for key, value in pairs(under) do result[key] = merged(nil, value, depth + 1) end
  end
  for key, value in pairs(over) do
    if value == host.null then result[key] = nil
    else result[key] = merged(result[key], value, depth + 1) end
  end
  return result
end

--- A new table with the fields of all: later ones win, tables are merged field by field, lists are replaced whole, and
--- null takes a field away (RFC 7396).
function json.merge(...)
  local result = {}
  for position = 1, select("#", ...) do
    local one = select(position, ...)
    options.kind("flow.json.merge", "argument " .. position, one, "table")
    result = merged(result, one, 1)
  end
  return result
end

local function equal(left, right, depth)
  if type(left) ~= "table" or type(right) ~= "table" then return left == right end
  if depth > deepest then too_deep("flow.json.equal") end
  if rawequal(left, right) then return true end
  for key, value in pairs(left) do
    if not equal(value, right[key], depth + 1) then return false end
  end
  for key in pairs(right) do
    if left[key] == nil then return false end
  end
  return true
end

--- Whether two values hold the same data.
function json.equal(left, right) return equal(left, right, 1) end

return host.load("sealed")("flow.json", json)
