-- The one shape of an error: a table whose text is its message and its next step.
local host = ...

local meta = { __name = "error" }

function meta.__tostring(e)
  local text = tostring(rawget(e, "message") or "unknown error")
  local hint = rawget(e, "hint")
  local code = rawget(e, "code")
  if hint then text = text .. " " .. tostring(hint) end
  if code then text = text .. " [" .. tostring(code) .. "]" end
  return text
end

function meta.__concat(a, b)
  return tostring(a) .. tostring(b)
end

host.errormeta(meta)

--- Raises an error table.
return function(fields)
  error(setmetatable(fields, meta), 0)
end
