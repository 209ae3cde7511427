-- expect: deterministic
-- stock: prints addresses
print({}, print, coroutine.create(print), function() end, string.format("%s %p", {}, "x"):sub(1, 200))
