-- Checks that an option is a secret: the step's record has its options, and of a secret the name alone
local host = ...
local raise = host.load("errors")
local options = host.load("options")

return function(where, given, name)
  if type(options.need(where, given, name, name .. " = secret \"NAME\"")) == "userdata" then return end
  raise { code = "PG1141", kind = "script", name = name,
          message = ("%s: `%s` is not given as a secret."):format(where, name),
          hint = ("Write %s = secret \"NAME\", so that it is never recorded."):format(name) }
end
