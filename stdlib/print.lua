-- print(...): a line in the run's log
local host = ...

return function(...)
  local parts = table.pack(...)
  for index = 1, parts.n do parts[index] = tostring(parts[index]) end
  host.note("log", "info", table.concat(parts, "\t"))
end
