-- expect: killed-cpu
-- stock: hangs: __len claims 2^40 entries to shift
table.insert(setmetatable({}, {__len = function() return 1 << 40 end, __index = function() end, __newindex = function() end}), 1, "x")
