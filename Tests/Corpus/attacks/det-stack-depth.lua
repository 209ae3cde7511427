-- expect: deterministic
-- stock: same on stock from the same base; a replay must start as deep
local n = 0
local function f() n = n + 1 return 1 + f() end
print(pcall(f), n)
