-- expect: killed-cpu
-- stock: hangs: garbage of a megabyte beside a large heap, a collection after nearly each
local kept = {}
for i = 1, 300000 do kept[i] = {i} end
for i = 1, math.huge do local s = ("x"):rep(1 << 20) .. i end
