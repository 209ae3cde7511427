-- log.debug|info|warn|error(text, { … }): shown in the run's timeline, once, not again on replay
local host = ...
local options = host.load("options")
local log = {}

for name, level in pairs { debug = "debug", info = "info", warn = "warning", error = "error" } do
  log[name] = function(text, data)
    options.kind("log." .. name, "data", data, { "table", "nil" })
    host.note("log", level, tostring(text), data)
  end
end

return log
