-- expect: killed-cpu
-- stock: hangs: counts two million characters per call
local s = ("\u{10FFFF}"):rep(2000000) while true do utf8.offset(s, 2000000) utf8.offset(s, -2000000) end
