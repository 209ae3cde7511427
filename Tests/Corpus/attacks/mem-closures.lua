-- expect: killed-memory
-- stock: grows through closures and their upvalues
local f while true do local g, x = f, {} f = function() return g, x end end
