-- flow.metric(name, value): a number that people and monitoring see, once, not again on replay
local host = ...
local options = host.load("options")
local raise = host.load("errors")

return function(name, value)
  options.kind("flow.metric", "the name", name, "string")
  options.kind("flow.metric", "the value", value, "number")
  if #name > 100 or not name:match("^%l[%l%d_]*%f[^%l%d_]") or name:match("[^%l%d_.]") or name:match("%.%.")
    or name:match("%.$") then
    raise { code = "PG1135", kind = "script", name = "name",
            message = ("flow.metric: \"%s\" is no name of a metric."):format(name:sub(1, 100)),
            hint = "Use small letters, digits and `_`, with dots between the parts: \"orders.total_eur\"." }
  end
  if value ~= value or value == math.huge or value == -math.huge then
    raise { code = "PG1135", kind = "script", name = "value",
            message = ("flow.metric: the value of \"%s\" is no finite number."):format(name),
            hint = "Look for a division by zero." }
  end
  host.note("metric", "info", name, { value = value })
end
