-- expect: killed-cpu
-- stock: hangs; pcall returns the kill as an error
while true do pcall(function() while true do end end) end
