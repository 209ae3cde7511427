-- expect: killed-cpu
-- stock: hangs in C without a comparator: the strings differ in their last byte alone
local t = {}
for i = 1, 30 do t[i] = ("x"):rep(1 << 20) .. string.char(97 + i % 26) end
while true do table.sort(t) t[1], t[30] = t[30], t[1] end
