-- `multipart = { … }` of a call: a list of parts, or a table of fields. Gives the parts as the host takes them.
local host = ...
local options = host.load("options")
local raise = host.load("errors")

local known = { name = "string", value = true, filename = "string", content_type = "string", content = "string" }

local function refuse(verb, name, what, hint)
  raise { code = "PG1140", kind = "script", name = name, hint = hint,
          message = ("%s: the part \"%s\" of `multipart` %s."):format(verb, name, what) }
end

local function part(verb, name, given)
  options.check(verb .. ": multipart", given, known)
  local kind = type(given.value)
  if (given.content == nil) == (given.value == nil) then
    refuse(verb, name, "needs one of `value` and `content`", "`value` is a field, `content` the bytes of a file.")
  end
  if given.value ~= nil and kind ~= "string" and kind ~= "number" and kind ~= "boolean" and kind ~= "userdata" then
    refuse(verb, name, "is " .. options.article(kind), "Give text, a number or { filename = …, content = … }.")
  end
  if given.content_type and given.content_type:find("[%c]") then
    refuse(verb, name, "has a control character in its `content_type`", "Write for example \"text/csv\".")
  end
  local one = { name = name, filename = given.filename, content_type = given.content_type, value = given.value }
  if given.content and not one.filename then one.filename = name end
  local bytes = given.content or kind == "string" and given.value
  if bytes and not utf8.len(bytes) then
    one.value, one.base64 = nil, host.to_base64(bytes)
  elseif bytes then
    one.value = bytes
  end
  return one
end

return function(verb, given)
  local parts, place = {}, verb .. ": multipart"
  if #given > 0 then
    for index, one in ipairs(given) do
      options.kind(place, ("part %d"):format(index), one, "table")
      parts[index] = part(verb, options.need(place, one, "name", "{ name = \"note\", value = \"…\" }"), one)
    end
    return host.array(parts)
  end
  for name, value in pairs(given) do
    options.kind(place, "the name of a field", name, "string")
    parts[#parts + 1] = part(verb, name, type(value) == "table" and value or { value = value })
  end
  return host.array(parts)
end
