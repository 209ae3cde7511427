-- expect: deterministic
-- stock: same on stock from the same base; a replay must start as deep
local n = 0
local function f() n = n + 1 return (("x"):gsub("x", f)) end
print(pcall(f)) print(n)
n = 0
local function g() n = n + 1 return coroutine.wrap(g)() end
print(pcall(g)) print(n)
