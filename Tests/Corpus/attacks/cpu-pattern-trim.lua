-- expect: killed-cpu
-- stock: hangs: the innocent way to trim is quadratic
local s = (" "):rep(400000) .. "x"
return s:match("^(.-)%s*$"), s:find("%s*$"), s:gsub("%s+$", "")
