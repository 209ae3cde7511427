-- What the calls of a connector keep to at their destination: `throttle`, `at_once` and `breaker`
local host = ...
local options = host.load("options")
local bounded = host.load("bounds")
local example = "{ limit = 100, period = \"10s\" }"

local function throttle(given)
  local where = "http.client: throttle"
  options.check(where, given, { limit = "integer", period = { "string", "number" }, key = "string" })
  options.need(where, given, "limit", example)
  local period = options.duration(where, "period", options.need(where, given, "period", example))
  if given.key then options.key(where, "key", given.key, "key = \"crm\"") end
  return bounded(where, given, "limit", 1, 1000000, example), math.max(1, period), given.key
end

return function(given)
  if not (given.throttle or given.at_once or given.breaker) then return nil end
  local gate = { at_once = bounded("http.client", given, "at_once", 1, 100000, "at_once = 10") }
  if given.throttle then gate.limit, gate.milliseconds, gate.key = throttle(given.throttle) end
  if given.breaker then gate.breaker = host.load("breaker")("http.client: breaker", given.breaker, "1m", "30s") end
  return gate
end
