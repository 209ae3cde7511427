-- expect: killed-cpu
-- stock: hangs; the unwinding of a kill runs a hundred closing values, each without end
local function nest(n)
  local c <close> = setmetatable({}, {__close = function() while true do end end})
  if n > 0 then nest(n - 1) end
  while true do end
end
nest(100)
