-- expect: killed-cpu
-- stock: hangs: a failing pattern is tried at each of a million places, each a long way
local s = ("ab"):rep(1000000)
while true do s:gsub("[^c]*c", "") end
