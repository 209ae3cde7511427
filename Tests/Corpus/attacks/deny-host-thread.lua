-- expect: denied
-- stock: refuses too
local main = coroutine.running()
if pcall(coroutine.close, main) then print("ESCAPED closed") end
if coroutine.resume(main) then print("ESCAPED resumed") end
print(coroutine.wrap(function() return pcall(coroutine.close, main) end)())
if coroutine.wrap(function() return (coroutine.resume(main)) end)() then print("ESCAPED resumed within") end
