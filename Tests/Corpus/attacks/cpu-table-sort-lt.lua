-- expect: killed-cpu
-- stock: hangs inside __lt called by a sort
local m = {__lt = function() while true do end end}
table.sort({setmetatable({}, m), setmetatable({}, m), setmetatable({}, m)})
