-- expect: killed-cpu
-- stock: hangs: megabytes per call in upper, reverse, byte, format and rep
local s = ("x"):rep(4 << 20)
while true do
  local a = s:upper() a = s:reverse() a = s:lower() a = ("%s"):format(s) a = s:rep(2) a = s:byte(1, 100000)
end
