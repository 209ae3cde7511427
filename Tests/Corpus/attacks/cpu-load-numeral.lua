-- expect: killed-cpu
-- stock: hangs until memory ends: an endless numeral, a piece per call
while true do
  local first = true
  pcall(load, function() if first then first = false return "return 0x" end return ("1"):rep(4096) end)
end
