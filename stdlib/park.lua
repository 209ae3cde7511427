-- flow.park(label, { reason, data, response, category, retryable, to, not_by, timeout, remind, hours })
--   -> the repaired data, or nil where it was discarded or nobody cared in time
local host = ...
local options = host.load("options")
local question = host.load("question")

local known = { reason = "string", data = true, response = true, category = "string", retryable = "boolean" }
for name, kind in pairs(question.known) do known[name] = kind end

return function(label, given)
  options.label("flow.park", label)
  given = options.check("flow.park", given, known)
  local data = options.need("flow.park", given, "data", "flow.park(\"Refused\", { data = record, reason = why })")
  local answer = question.ask("flow.park", label, given, {
    choices = host.array { "retry", "discard" }, data = data, reason = given.reason, response = given.response,
    category = given.category, retryable = given.retryable,
  })
  if answer.outcome == "retry" then return answer.data end
  return nil
end
