-- expect: denied
-- stock: refuses too: only debug.setmetatable gives them metatables
if pcall(setmetatable, 1, {}) or pcall(setmetatable, "x", {}) or pcall(setmetatable, print, {}) then print("ESCAPED") end
