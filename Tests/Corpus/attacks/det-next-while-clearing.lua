-- expect: deterministic
-- stock: order depends on the seed
local t = {} for i = 1, 50 do t["key" .. i] = i end
local seen = {}
for k in next, t do seen[#seen + 1] = k t[k] = nil if #seen % 3 == 0 then local s = ("x"):rep(1000) .. #seen end end
print(#seen, table.concat(seen, " "))
