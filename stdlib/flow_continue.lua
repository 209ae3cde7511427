-- flow.continue(input): ends this run and goes on as a fresh one of the same workflow, with an empty journal
local host = ...

return function(input)
  return host.await_step("flow.continue", "Continue", { input = input })
end
