-- expect: denied
-- stock: accepts bytecode piece by piece
local pieces = {"\27", "Lua", "\x54\0\x19\x93\r\n\x1a\n\4\8\8", string.pack("<i8", 0x5678), string.pack("<d", 370.5), "\0"}
local i = 0
local ok, f, e = pcall(load, function() i = i + 1 return pieces[i] end)
if ok and not e:find("attempt to load a binary chunk", 1, true) then print("ESCAPED header parsed: " .. e) end
