-- expect: killed-cpu
-- stock: hangs: tostring of an error object runs a metamethod again and again
local e = setmetatable({}, {__tostring = function() while true do end end})
while true do pcall(function() error(tostring(e)) end) pcall(error, e) end
