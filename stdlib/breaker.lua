-- `breaker = true` or `breaker = { failures, ratio, over, pause }`, of a connector or of a workflow
local host = ...
local options = host.load("options")
local bounded = host.load("bounds")

local example = "breaker = { ratio = 0.2, over = \"5m\", pause = \"15m\" }"

-- Either of the two rules counts, or both where none is named.
return function(where, given, over, pause)
  if given == true then given = {} end
  options.check(where, given, { failures = "integer", ratio = "number", over = { "string", "number" },
                                pause = { "string", "number" } })
  local failures = bounded(where, given, "failures", 1, 10000, example)
  local ratio = bounded(where, given, "ratio", 0.01, 1, example)
  if not failures and not ratio then failures, ratio = 5, 0.5 end
  return { failures = failures, ratio = ratio, over = options.duration(where, "over", given.over or over),
           pause = options.duration(where, "pause", given.pause or pause) }
end
