-- expect: killed-cpu
-- stock: hangs: ordering walks both strings, zero byte by zero byte
local a, b = ("a\0"):rep(4000000) .. "a", ("a\0"):rep(4000000) .. "b"
while true do local _ = a < b end
