-- checkpoint(label, function() … return value end): one durable value; the steps inside are not kept after it ends
local host = ...
local options = host.load("options")

local known = { was = "string" }

-- What was kept stands in a list, so that nothing can stand there too.
local function value(kept)
  if kept[1] ~= host.null then return kept[1] end
end

return function(label, fn, given)
  options.label("checkpoint", label)
  options.kind("checkpoint", "the second argument", fn, "function")
  given = options.check("checkpoint", given, known)
  local ended = host.await_checkpoint("checkpoint", label, {}, given.was)
  if ended ~= nil and ended ~= host.null then return value(ended) end
  local result = table.pack(pcall(fn))
  local kept
  if result[1] then kept = table.pack(pcall(host.end_checkpoint, "checkpoint", label, result[2])) end
  if kept and kept[1] then return value(kept[2]) end
  host.leave()
  error((kept or result)[2], 0)
end
