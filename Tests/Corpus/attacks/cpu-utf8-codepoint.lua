-- expect: killed-cpu
-- stock: hangs: decodes 200,000 characters per call
local s = ("\u{20AC}"):rep(200000) while true do select("#", utf8.codepoint(s, 1, -1)) end
