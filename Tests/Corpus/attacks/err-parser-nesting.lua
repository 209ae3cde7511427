-- expect: error
-- stock: compile error: too many levels
for _, p in ipairs({"(", "{", "function() return ", "if x then ", "- ", "a.b["}) do
  if load("return " .. p:rep(100000)) then print("ESCAPED " .. p) end
end
assert(load("return " .. ("("):rep(100000)))
