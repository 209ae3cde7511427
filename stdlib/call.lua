-- call(label, "crm.update_deal", { … }): a function that the host's own program registered
local host = ...
local options = host.load("options")

return function(label, name, input)
  options.label("call", label)
  options.kind("call", "the function's name", name, "string")
  return host.await_step("call", label, { ["function"] = name, input = input })
end
