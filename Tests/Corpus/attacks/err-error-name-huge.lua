-- expect: error
-- stock: error with a type name of a megabyte
error(setmetatable({}, {__name = ("n"):rep(1 << 20)}))
