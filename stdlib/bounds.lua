-- Checks that a number of a script stands within its bounds
local host = ...
local raise = host.load("errors")

return function(where, given, name, least, most, example)
  local value = given[name]
  if value == nil or (value >= least and value <= most) then return value end
  raise { code = "PG1011", kind = "script", name = name,
          message = ("%s: `%s` is %s; it should be from %s to %s."):format(where, name, value, least, most),
          hint = ("For example: %s."):format(example) }
end
