-- expect: deterministic
-- stock: the last digit may follow the processor
local h = {} for i = 1, 200 do local x = i / 7 h[i] = ("%.17g"):format(math.sin(x) + math.exp(-x) + math.log(x) + x ^ 1.5 + math.atan(x, 2)) end print(table.concat(h, " "):sub(-300))
