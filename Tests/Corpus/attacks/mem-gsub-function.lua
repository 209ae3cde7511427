-- expect: killed-memory
-- stock: turns each byte into a megabyte
local big = ("y"):rep(1 << 20)
local s = ("x"):rep(4096):gsub("x", function() return big end) print("ESCAPED " .. #s)
