-- expect: killed-cpu
-- stock: hangs: modules are looked for without end
while true do pcall(require, "missing.module") end
