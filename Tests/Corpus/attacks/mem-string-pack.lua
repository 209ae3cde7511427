-- expect: killed-memory
-- stock: allocates 1 GB in one call
local s = string.pack("c1073741824", "") print("ESCAPED " .. #s)
