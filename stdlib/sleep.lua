-- sleep("24h"), sleep("Label", "24h") or sleep("Label", { at = time })
local host = ...
local options = host.load("options")
local raise = host.load("errors")

return function(label, length)
  if length == nil then
    label, length = "Sleep", label
  end
  options.label("sleep", label)
  local arguments, was
  if type(length) == "table" then
    options.check("sleep", length, { at = "string", was = "string" })
    local at = options.need("sleep", length, "at", "sleep(\"Until Monday\", { at = \"2026-09-07T09:00:00+02:00\" })")
    if not host.time(at) then
      raise { code = "PG1013", kind = "script", name = "at", message = ("sleep: `at` = \"%s\" is no time."):format(at),
              hint = "Write an RFC 3339 time with its zone: \"2026-09-07T09:00:00+02:00\"." }
    end
    arguments, was = { at = at }, length.was
  else
    arguments = { milliseconds = options.duration("sleep", "the length", length), text = length }
  end
  return host.await_step("sleep", label, arguments, was)
end
