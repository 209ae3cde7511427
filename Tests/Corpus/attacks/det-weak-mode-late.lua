-- expect: deterministic
-- stock: same on stock, but follows the collector: the mode is added after setmetatable
local m = {}
local c = setmetatable({}, m)
m.__mode = "v"
for i = 1, 1000 do c[i] = {i} for j = 1, 50 do local t = {j} end end
local n = 0 for i = 1, 1000 do if c[i] then n = n + 1 end end
print(n)
