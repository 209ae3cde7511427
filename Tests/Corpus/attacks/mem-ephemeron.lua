-- expect: killed-memory
-- stock: keeps every value whose key is reachable from another value
local ok, c = pcall(setmetatable, {}, {__mode = "k"})
if not ok then c = {} end
local last = {} c[1] = last
while true do local k = {("x"):rep(1000) .. #last} c[last] = k last[2] = k last = k end
