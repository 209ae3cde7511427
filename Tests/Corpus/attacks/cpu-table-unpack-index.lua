-- expect: killed-cpu
-- stock: hangs: reads 200,000 entries of a proxy per call
local t = setmetatable({}, {__index = function(_, i) return i end})
while true do select("#", table.unpack(t, 1, 200000)) end
