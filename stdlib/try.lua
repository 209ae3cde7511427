-- try(fn, ...) -> result | nil, err. A cancelled or ended run never comes back here.
local host = ...
local raise = host.load("errors")

local function settle(ok, first, ...)
  if ok then return first, ... end
  if host.is_cancellation(first) then error(first, 0) end
  if type(first) == "table" then return nil, first end
  return nil, { kind = "script", message = tostring(first), retryable = false }
end

return function(fn, ...)
  local meta = type(fn) ~= "function" and getmetatable(fn)
  if type(fn) ~= "function" and not (type(meta) == "table" and meta.__call) then
    raise { code = "PG1011", kind = "script", message = "try needs a function as its first argument.",
            hint = "Write try(http.get, \"Label\", { … }): the function, then its arguments." }
  end
  return settle(pcall(fn, ...))
end
