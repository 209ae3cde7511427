-- expect: killed-cpu
-- stock: hangs inside __eq, __concat and __unm
local m = {} m.__eq = function() while true do end end m.__concat, m.__unm, m.__len = m.__eq, m.__eq, m.__eq
local a, b = setmetatable({}, m), setmetatable({}, m)
while true do pcall(function() return a == b end) pcall(function() return a .. b end) pcall(function() return -a, #a end) end
