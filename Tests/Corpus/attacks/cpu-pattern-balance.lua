-- expect: killed-cpu
-- stock: hangs: %b is quadratic where nothing balances
local s = ("("):rep(400000)
return s:find("%b()")
