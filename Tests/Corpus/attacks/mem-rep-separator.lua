-- expect: killed-memory
-- stock: builds 1 GB through the separator of rep
local s = (""):rep(1 << 10, ("x"):rep(1 << 20)) print("ESCAPED " .. #s)
