-- expect: killed-memory
-- stock: doubles a text through format
local s = ("x"):rep(1000) while true do s = ("%s%s"):format(s, s) end
