-- wait.event(label, { event, match, timeout }) -> event | nil when the time ran out
local host = ...
local options = host.load("options")
local wait = {}

local known = { event = "string", match = "table", timeout = { "string", "number" }, was = "string" }

function wait.event(label, given)
  options.label("wait.event", label)
  options.check("wait.event", given, known)
  local event = options.need("wait.event", given or {}, "event", "{ event = \"invoice.paid\" }")
  local arguments = { event = event, match = given.match }
  if given.timeout ~= nil then
    arguments.timeout_milliseconds = options.duration("wait.event", "timeout", given.timeout)
    arguments.timeout = given.timeout
  end
  return host.await_step("wait.event", label, arguments, given.was)
end

return wait
