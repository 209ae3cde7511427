-- expect: killed-memory
-- stock: asks for an array of a gigabyte in one instruction
local t = {} while true do t[#t + 1] = #t end
