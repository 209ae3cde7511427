-- expect: killed-cpu
-- stock: hangs
while true do math.random(1, 6) end
