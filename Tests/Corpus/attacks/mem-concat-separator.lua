-- expect: killed-memory
-- stock: builds 1 GB through the separator of concat
local t = {} for i = 1, 1025 do t[i] = "" end
local s = table.concat(t, ("x"):rep(1 << 20)) print("ESCAPED " .. #s)
