-- expect: killed-cpu
-- stock: hangs: each new coroutine counts its instructions from zero, so a hook by count never fires
while true do
  coroutine.resume(coroutine.create(function() for i = 1, 20000 do end end))
end
