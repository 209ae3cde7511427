-- config "NAME": a setting of this deployment. A run keeps the value that it read first.
local host = ...
local options = host.load("options")
local read = {}

return function(name)
  options.kind("config", "the name", name, "string")
  if read[name] == nil then read[name] = host.step("config", name, { name = name }) end
  return read[name]
end
