-- expect: deterministic
-- stock: same on stock; shows the host's name of the chunk
print(pcall(error, "x")) print(pcall(function() error("x") end)) print(pcall(function() local t t.x = 1 end)) print(load("error(1, 1)")) print(pcall(load("x.y.z = 1")))
