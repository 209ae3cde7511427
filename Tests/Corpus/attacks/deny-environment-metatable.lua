-- expect: denied
-- stock: its globals have no guard, and no other state sees them
local m = getmetatable(_G)
if type(m) == "table" then m.__newindex = nil end
if m ~= nil and pcall(setmetatable, _G, nil) then print("ESCAPED") end
