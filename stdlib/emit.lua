-- emit("event.name", { … }): tells other workflows, with this run's next commit; never lost, never twice
local host = ...
local options = host.load("options")

return function(event, data)
  options.label("emit", event)
  options.kind("emit", "data", data, { "table", "nil" })
  host.step("emit", event, { event = event, data = data or {} })
end
