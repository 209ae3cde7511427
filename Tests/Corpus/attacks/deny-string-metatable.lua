-- expect: denied
-- stock: changes what every string does
local m = getmetatable("")
if type(m) == "table" then
  m.__index = function() return function() return "ESCAPED" end end
  print(("x"):upper())
end
