-- expect: killed-memory
-- stock: keeps the constants of ever more chunks
local fs, n = {}, 0
while true do
  local p = {}
  for i = 1, 2000 do n = n + 1 p[i] = "\"constant number " .. n .. "\"," end
  fs[#fs + 1] = load("return {" .. table.concat(p) .. "}")
end
