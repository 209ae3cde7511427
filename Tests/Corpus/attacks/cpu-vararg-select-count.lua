-- expect: killed-cpu
-- stock: hangs: a list of 100,000 values is built from varargs again and again
local t = {} for i = 1, 100000 do t[i] = i end
local function f(...) while true do local p = {...} end end
f(table.unpack(t))
