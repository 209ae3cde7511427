-- expect: denied
-- stock: a finalizer that is added to a metatable in use, and set again
local m = {}
local t = setmetatable({}, m)
m.__gc = function() print("ESCAPED") end
t = nil
pcall(function() setmetatable({}, m) end)
for i = 1, 1e5 do local x = {} end
