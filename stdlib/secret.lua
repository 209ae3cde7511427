-- secret "NAME": a handle that http puts in place when it sends; scripts can't read it
local host = ...
local options = host.load("options")

return function(name)
  options.kind("secret", "the name", name, "string")
  return host.secret(name)
end
