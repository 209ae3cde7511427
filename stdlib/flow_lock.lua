-- flow.lock(label, key, function() … end, { timeout }): one run at a time holds the key, across hosts
local host = ...
local options = host.load("options")
local raise = host.load("errors")

local known = { timeout = { "string", "number" }, was = "string" }

-- By key, the branches of this run that hold the lock.
local held = {}

local function refuse_nested(label, key)
  if not held[key] then return end
  for _, branch in ipairs(host.branch_line()) do
    if held[key][branch] then
      raise { code = "PG1134", kind = "conflict", name = "key",
              message = ("flow.lock(\"%s\", …): this run holds the lock \"%s\" already, and would wait for itself.")
                :format(label, key),
              hint = "Do the work inside the function that has the lock, or use another key." }
    end
  end
end

local closer = {
  __close = function(hold)
    held[hold.key][hold.branch] = nil
    host.release(hold.token)
  end,
}

return function(label, key, fn, given)
  options.label("flow.lock", label)
  options.key("flow.lock", "the key", key, "\"account:\" .. account.id")
  options.kind("flow.lock", "the function", fn, "function")
  given = options.check("flow.lock", given, known)
  refuse_nested(label, key)
  local arguments = { key = key }
  if given.timeout ~= nil then
    arguments.timeout_milliseconds = options.duration("flow.lock", "timeout", given.timeout)
    arguments.timeout = given.timeout
  end
  local token = host.await_step("flow.lock", label, arguments, given.was)
  local branch = host.branch_line()[1]
  held[key] = held[key] or {}
  held[key][branch] = true
  -- Given back however the function ends. An error goes on from where it was raised.
  local hold <close> = setmetatable({ key = key, branch = branch, token = token }, closer)
  return fn()
end
