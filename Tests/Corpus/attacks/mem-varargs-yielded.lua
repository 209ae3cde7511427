-- expect: killed-memory
-- stock: holds 200,000 arguments in each suspended coroutine
local t, all = {}, {}
for i = 1, 200000 do t[i] = i end
local function hold(...) coroutine.yield() return ... end
while true do local co = coroutine.create(hold) coroutine.resume(co, table.unpack(t)) all[#all + 1] = co end
