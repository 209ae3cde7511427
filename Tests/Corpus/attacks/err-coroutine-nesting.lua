-- expect: error
-- stock: error: C stack overflow at about 200 nested coroutines
local function f() return coroutine.wrap(f)() end
f()
