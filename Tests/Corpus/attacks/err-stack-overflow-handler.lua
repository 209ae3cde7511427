-- expect: error
-- stock: error in the handling of a stack overflow
local function f(a, b, c) return 1 + f(a, b, c) end
local ok, e = xpcall(f, function(m) return f() end)
error(ok and "ESCAPED" or "refused")
