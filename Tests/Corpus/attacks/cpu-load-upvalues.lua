-- expect: killed-cpu
-- stock: hangs: resolving a name through 190 nested functions, again and again
local p = {}
for i = 1, 150 do p[i] = "local v" .. i .. " = 0 return function() " end
local src = table.concat(p) .. "return " .. ("v1 + "):rep(20000) .. "0 " .. ("end "):rep(150)
while true do load(src) end
