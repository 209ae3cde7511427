-- expect: error
-- stock: an error object that holds itself
local e = {} e.cause, e[e], e.list = e, e, {e, e}
error(e)
