-- expect: denied
-- stock: reads files outside of its folder, and gets removed libraries back
for _, name in ipairs({"../../../../etc/passwd", "/etc/passwd", "..passwd", "os", "io", "debug", "package", "stdlib/prelude", "stdlib.prelude", "\0", ""}) do
  if pcall(require, name) then print("ESCAPED " .. name) end
end
