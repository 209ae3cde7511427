-- expect: deterministic
-- stock: draws a seed from time and address, and tells it
print(pcall(math.randomseed)) print(math.random(1 << 30)) print(pcall(math.randomseed, 42)) print(math.random(1 << 30))
