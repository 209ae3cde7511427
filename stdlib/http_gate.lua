-- What the calls of a connector keep to at their destination: `throttle`, `at_once` and `breaker`
local host = ...
local options = host.load("options")
local raise = host.load("errors")

local example = { throttle = "{ limit = 100, period = \"10s\" }", breaker = "{ failures = 5, pause = \"30s\" }" }

local function bounded(where, given, name, least, most)
  local value = given[name]
  if value == nil or (value >= least and value <= most) then return value end
  raise { code = "PG1011", kind = "script", name = name,
          message = ("%s: `%s` is %s; it should be from %s to %s."):format(where, name, value, least, most),
          hint = ("For example: %s."):format(example[where:match("%a+$")] or "at_once = 10") }
end

local function throttle(given)
  local where = "http.client: throttle"
  options.check(where, given, { limit = "integer", period = { "string", "number" }, key = "string" })
  options.need(where, given, "limit", example.throttle)
  local period = options.duration(where, "period", options.need(where, given, "period", example.throttle))
  if given.key then options.key(where, "key", given.key, "key = \"crm\"") end
  return bounded(where, given, "limit", 1, 1000000), math.max(1, period), given.key
end

-- Either of the two rules, or both where none is named.
local function breaker(given)
  local where = "http.client: breaker"
  if given == true then given = {} end
  options.check(where, given, { failures = "integer", ratio = "number", over = { "string", "number" },
                                pause = { "string", "number" } })
  local failures, ratio = bounded(where, given, "failures", 1, 10000), bounded(where, given, "ratio", 0.01, 1)
  if not failures and not ratio then failures, ratio = 5, 0.5 end
  return { failures = failures, ratio = ratio, over = options.duration(where, "over", given.over or "1m"),
           pause = options.duration(where, "pause", given.pause or "30s") }
end

return function(given)
  if not (given.throttle or given.at_once or given.breaker) then return nil end
  local gate = { at_once = bounded("http.client", given, "at_once", 1, 100000) }
  if given.throttle then gate.limit, gate.milliseconds, gate.key = throttle(given.throttle) end
  if given.breaker then gate.breaker = breaker(given.breaker) end
  return gate
end
