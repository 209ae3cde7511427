-- expect: killed-cpu
-- stock: hangs: each call copies 200,000 arguments in one instruction
local t = {} for i = 1, 200000 do t[i] = i end
local function f(...) return f(...) end
f(table.unpack(t))
