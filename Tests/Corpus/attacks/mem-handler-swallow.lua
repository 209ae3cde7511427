-- expect: killed-memory
-- stock: goes on in the message handler of a memory error
for i = 1, 100 do
  xpcall(function() local t = {} for j = 1, 1e9 do t[j] = {j} end end, function() return "again" end)
end
print("ESCAPED")
