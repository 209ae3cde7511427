-- flow.state.get|set|add|delete(key, …): durable values of this workflow, shared by its runs
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local state = {}

local check = options.state_key

--- The value as it is now, with what this run has written; nil if there is none.
function state.get(key)
  check("flow.state.get", key)
  return host.await_step("flow.state.get", key, { key = key })
end

--- Gives the key this value, with the run's next commit.
function state.set(key, value)
  check("flow.state.set", key)
  if value == nil then
    raise { code = "PG1011", kind = "script", name = "value",
            message = "flow.state.set needs a value, and got nothing (nil).",
            hint = "flow.state.delete(key) takes a value away." }
  end
  host.step("flow.state.set", key, { key = key, value = value })
end

--- Adds to a number, with the run's next commit; runs that add at the same time lose nothing.
function state.add(key, number)
  check("flow.state.add", key)
  options.kind("flow.state.add", "the number", number, "number")
  host.step("flow.state.add", key, { key = key, number = number })
end

--- Takes the value away, with the run's next commit.
function state.delete(key)
  check("flow.state.delete", key)
  host.step("flow.state.delete", key, { key = key })
end

return host.load("sealed")("flow.state", state)
