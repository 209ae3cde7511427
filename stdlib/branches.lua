-- What `parallel` and `each` share: functions that go on side by side, each with its own steps, at most so many at once
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local branches = {}

local modes = { wait = true, stop = true, continue = true }
branches.most = 1000

--- Reads `on_error` and `at_once`.
function branches.read(verb, given, default)
  local on_error = given.on_error or "wait"
  if not modes[on_error] then
    local near = host.nearest(on_error, { "wait", "stop", "continue" })
    raise { code = "PG1011", kind = "script", name = "on_error",
            message = ("%s: `on_error` = \"%s\" is not known."):format(verb, on_error),
            hint = (near and ("Did you mean \"%s\"? "):format(near) or "")
              .. "Write \"wait\", \"stop\" or \"continue\"." }
  end
  local at_once = given.at_once or default
  if at_once < 1 or at_once > branches.most then
    raise { code = "PG1011", kind = "script", name = "at_once",
            message = ("%s: `at_once` is %d."):format(verb, at_once),
            hint = ("Write a whole number from 1 to %d."):format(branches.most) }
  end
  return on_error, at_once
end

--- An error as a script sees it in a result: always a table with a message.
local function described(err)
  if type(err) == "table" then return err end
  return { kind = "script", message = tostring(err), retryable = false }
end

--- Runs `count` functions. `start(n)` gives the name and the function of the n-th; `done(n, ok, value)` is told its end
-- with the value that it returned or its error. Gives the first error in the order of the functions, if there was one
-- that is not to be passed over, and raises it if it is a cancellation of the branch around them.
function branches.run(label, count, on_error, at_once, start, done)
  host.enter(label)
  local running, ends = {}, {}
  local begun, live, stopped, failed, failure, cancellation = 0, 0, false, nil, nil, nil
  while live > 0 or (begun < count and not stopped) do
    while live < at_once and begun < count and not stopped do
      begun = begun + 1
      local name, fn = start(begun)
      local number = host.begin_branch(name)
      running[number] = begun
      host.fork(number, function() ends[number] = table.pack(pcall(fn)) end)
      live = live + 1
    end
    local number = host.await_join()
    local index, result = running[number], ends[number]
    running[number], ends[number], live = nil, nil, live - 1
    local ok, value = result[1], result[2]
    local is_cancelled = not ok and host.is_cancellation(value)
    if is_cancelled and not stopped then
      stopped, cancellation = true, value
    elseif not is_cancelled then
      if not ok then
        value = described(value)
        if not failed or index < failed then failed, failure = index, value end
        if on_error == "stop" and not stopped then
          stopped = true
          host.stop_branches { code = "PG2062", kind = "cancelled",
                               message = ("Stopped, because another branch of \"%s\" failed."):format(label),
                               hint = "See the error of that branch." }
        end
      end
      done(index, ok, value)
    end
  end
  host.leave()
  if cancellation then error(cancellation, 0) end
  if failure and on_error ~= "continue" then return failure end
end

return branches
