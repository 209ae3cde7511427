-- expect: error
-- stock: error: describing the error object would suspend
error(setmetatable({}, {__tostring = function() coroutine.yield("sleep", 0) end}))
