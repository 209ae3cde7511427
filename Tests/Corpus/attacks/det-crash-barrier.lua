-- expect: deterministic
-- stock: up to 5.4.8 frees a table that is in use: assigning __newindex through a metatable that is its own __newindex misses a write barrier
local objects, kept = {}, {}
for i = 1, 2000 do
  local mt = {} mt.__newindex = mt
  objects[i], kept[i] = setmetatable({}, mt), mt
end
local sum, bad = 0, 0
for round = 1, 20 do
  for i = 1, 2000 do
    local mt = kept[i]
    mt.__newindex = mt
    objects[i].__newindex = {i}
    local junk = {} for j = 1, 10 do junk[j] = {j} end
  end
  for i = 1, 2000 do
    local value = rawget(kept[i], "__newindex")[1]
    if value == i then sum = sum + value else bad = bad + 1 end
  end
end
print(sum)
if bad > 0 then print("BUG", bad) end
