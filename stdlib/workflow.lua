-- workflow{ … }: checks a definition and gives it back
local host = ...
local options = host.load("options")
local raise = host.load("errors")

local known = {
  name = "string", about = "string", owner = "string", on = "table", key = "string", input = "table",
  tags = "table", timeout = { "string", "number" }, run = "function", on_cancel = "function",
  on_failure = "function",
}

-- Known to the language, and not yet to this host: refused rather than passed over.
local later = {
  "on_conflict", "output", "concurrency", "throttle", "rate_limit", "debounce", "batch", "priority", "retry",
  "breaker", "on_reload", "keep", "alerts",
}

local trigger_known = {
  event = "string", match = "table", changed = "table", http = "string", manual = "boolean",
  cron = "string", every = { "string", "number" }, tz = "string", overlap = "string", catch_up = "string",
  jitter = { "string", "number" },
}
local trigger_later = { "at", "after", "verify", "secret" }

local function refuse_later(what, given, names)
  for _, name in ipairs(names) do
    if given[name] ~= nil then
      raise { code = "PG1007", kind = "script", name = name,
              message = ("%s: `%s` is not available in this version of Perigee."):format(what, name),
              hint = "Remove it, or run the script on a version that has it." }
    end
  end
end

local function trigger(given)
  refuse_later("workflow: on", given, trigger_later)
  options.check("workflow: on", given, trigger_known)
  local kinds = 0
  for _, kind in ipairs { "event", "http", "manual", "cron", "every" } do
    if given[kind] then kinds = kinds + 1 end
  end
  if kinds ~= 1 then
    raise { code = "PG1011", kind = "script", name = "on",
            message = "workflow: a trigger has one of `event`, `http`, `cron`, `every` and `manual`.",
            hint = "Write on = { event = \"lead.created\" }, or a list of triggers: on = { { … }, { … } }." }
  end
  if given.http and not given.http:match("^%u+ /[%w%-._~/]+$") then
    raise { code = "PG1011", kind = "script", name = "http",
            message = ("workflow: `http` = \"%s\" is no method and path."):format(given.http),
            hint = "Write for example on = { http = \"POST /orders\" }." }
  end
  if (given.match or given.changed) and not given.event then
    raise { code = "PG1011", kind = "script", name = "on", message = "workflow: `match` and `changed` go with `event`.",
            hint = "Add the event's name, or remove them." }
  end
  for _, name in ipairs { "tz", "overlap", "catch_up", "jitter" } do
    if given[name] ~= nil and not (given.cron or given.every and name ~= "tz") then
      raise { code = "PG1011", kind = "script", name = name,
              message = ("workflow: `%s` goes with `cron`%s."):format(name, name == "tz" and "" or " or `every`"),
              hint = "Add it, or remove `" .. name .. "`." }
    end
  end
  for _, name in ipairs { "every", "jitter" } do
    if given[name] ~= nil then options.duration("workflow: on", name, given[name]) end
  end
  return given
end

return function(given)
  options.kind("workflow", "the definition", given, "table")
  refuse_later("workflow", given, later)
  options.check("workflow", given, known)
  options.need("workflow", given, "run", "run = function(input) … end")
  local on = given.on or { manual = true }
  local list = #on > 0 and on or { on }
  for index, one in ipairs(list) do
    options.kind("workflow", "on[" .. index .. "]", one, "table")
    list[index] = trigger(one)
  end
  given.on = host.array(list)
  if given.timeout ~= nil then
    given.timeout_milliseconds = options.duration("workflow", "timeout", given.timeout)
    if given.timeout_milliseconds == 0 then
      raise { code = "PG1011", kind = "script", name = "timeout", message = "workflow: `timeout` is 0.",
              hint = "Write how long a run may take, for example \"2d\", or leave it out." }
    end
  end
  for _, name in ipairs { "on_cancel", "on_failure" } do
    local hook = given[name]
    if hook then given[name] = function(argument) return hook(argument.input, argument.error) end end
  end
  return given
end
