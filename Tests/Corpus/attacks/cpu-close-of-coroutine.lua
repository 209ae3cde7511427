-- expect: killed-cpu
-- stock: hangs in a closing value that coroutine.close runs
local co = coroutine.create(function()
  local c <close> = setmetatable({}, {__close = function() while true do end end})
  coroutine.yield()
end)
coroutine.resume(co)
while true do pcall(coroutine.close, co) end
