-- expect: error
-- stock: error with a description of 16 MB; the host must truncate it
error(setmetatable({}, {__tostring = function() return ("x"):rep(1 << 24) end}))
