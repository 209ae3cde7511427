-- expect: killed-cpu
-- stock: hangs in a closing value while an error passes
while true do
  pcall(function()
    local c <close> = setmetatable({}, {__close = function() while true do end end})
    error("x")
  end)
end
