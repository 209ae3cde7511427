-- expect: error
-- stock: an error object of 100,000 nested tables; the host must not follow them all
local e = {} for i = 1, 100000 do e = {cause = e} end
error(e)
