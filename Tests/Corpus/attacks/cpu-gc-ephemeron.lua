-- expect: killed-cpu
-- stock: hangs: a chain through an ephemeron table makes a collection quadratic
local ok, c = pcall(setmetatable, {}, {__mode = "k"})
if not ok then c = {} end
local first = {} local last = first
for i = 1, 60000 do local k = {} c[last] = k last = k end
while true do local t = {{}, {}, {}} end
