-- expect: killed-cpu
-- stock: hangs: every key has the same place in a table of 2^17, whatever the seed; one rehash walks chains for seconds
while true do
  local t = {}
  for i = 1, 1 << 17 do t[i * ((1 << 17) - 1)] = true end
end
