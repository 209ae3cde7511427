-- expect: deterministic
-- stock: order depends on the seed and on addresses
local t = {} for i = 1, 30 do t[i * 7 % 31] = i t[i / 4] = i t["k" .. i * 13 % 31] = i t[i % 2 == 0] = i end
for i = 1, 30, 3 do t[i] = nil t["k" .. i] = nil end
for k, v in pairs(t) do print(k, v) end
