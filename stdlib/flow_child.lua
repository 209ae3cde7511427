-- What flow.call and flow.start share: another run
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local child = {}

local call_known = { key = "string", timeout = { "string", "number" }, on_parent_end = "string", was = "string" }
local start_known = { key = "string", after = { "string", "number" }, on_parent_end = "string", was = "string" }
local policies = { "cancel", "abandon", "terminate" }

local function read(verb, label, workflow, input, given, known, policy)
  options.label(verb, label)
  options.kind(verb, "the workflow", workflow, "string")
  given = options.check(verb, given, known)
  policy = given.on_parent_end or policy
  if policy ~= "cancel" and policy ~= "abandon" and policy ~= "terminate" then
    local near = host.nearest(policy, policies)
    raise { code = "PG1011", kind = "script", name = "on_parent_end",
            message = ("%s: `on_parent_end` = \"%s\" is not known."):format(verb, policy),
            hint = near and ("Did you mean \"%s\"?"):format(near) or "Write \"cancel\", \"abandon\" or \"terminate\"." }
  end
  if given.key then options.key(verb, "`key`", given.key, "\"deal:\" .. deal.id") end
  return given, { workflow = workflow, input = input, key = given.key, on_parent_end = policy }
end

local function duration(verb, name, given, arguments)
  if given[name] == nil then return end
  arguments[name .. "_milliseconds"] = options.duration(verb, name, given[name])
  arguments[name] = given[name]
end

function child.call(label, workflow, input, given)
  local checked, arguments = read("flow.call", label, workflow, input, given, call_known, "cancel")
  duration("flow.call", "timeout", checked, arguments)
  return host.await_step("flow.call", label, arguments, checked.was)
end

function child.start(label, workflow, input, given)
  local checked, arguments = read("flow.start", label, workflow, input, given, start_known, "abandon")
  duration("flow.start", "after", checked, arguments)
  return host.await_step("flow.start", label, arguments, checked.was)
end

return child
