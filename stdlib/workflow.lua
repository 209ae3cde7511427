-- workflow{ … }: checks a definition and gives it back
local host = ...
local options = host.load("options")
local raise = host.load("errors")

local known = {
  name = "string", about = "string", owner = "string", on = "table", key = "string", input = "table",
  tags = "table", timeout = { "string", "number" }, run = "function", on_cancel = "function",
  on_failure = "function", on_conflict = "string", concurrency = "table", keep = { "string", "number" },
  breaker = { "boolean", "table" },
}

-- Known to the language, and not yet to this host: refused rather than passed over.
local later = {
  "output", "throttle", "rate_limit", "debounce", "batch", "priority", "retry", "on_reload", "alerts",
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

local conflicts = { "use_existing", "reject", "cancel_existing", "queue" }

local function check_conflict(given)
  for _, known_one in ipairs(conflicts) do
    if given == known_one then return end
  end
  local near = host.nearest(given, conflicts)
  raise { code = "PG1110", kind = "script", name = "on_conflict",
          message = ("workflow: `on_conflict` = \"%s\" is not known."):format(given),
          hint = near and ("Did you mean \"%s\"?"):format(near)
            or ("Write one of: %s."):format(table.concat(conflicts, ", ")) }
end

local function check_concurrency(given)
  options.check("workflow: concurrency", given, { key = "string", limit = "integer" })
  local limit = options.need("workflow: concurrency", given, "limit",
                             "concurrency = { key = \"account_id\", limit = 1 }")
  if limit < 1 or limit > 1000000 then
    raise { code = "PG1111", kind = "script", name = "limit",
            message = ("workflow: `concurrency` has the limit %d."):format(limit),
            hint = "Write a number from 1 to 1000000; without a limit, remove `concurrency`." }
  end
  if given.key == "" then
    raise { code = "PG1112", kind = "script", name = "concurrency",
            message = "workflow: the key of `concurrency` is empty.",
            hint = "Name a field of the input, key = \"account_id\", or remove `key` for one line of all runs." }
  end
end

local function check_keep(given)
  if given == "forever" then return end
  if type(given) ~= "string" or not host.duration(given) then
    raise { code = "PG1113", kind = "script", name = "keep",
            message = ("workflow: `keep` = %s is neither a duration nor \"forever\"."):format(
              type(given) == "string" and ("\"%s\""):format(given) or tostring(given)),
            hint = "Write for example keep = \"90d\", or keep = \"forever\"." }
  end
end

return function(given)
  options.kind("workflow", "the definition", given, "table")
  refuse_later("workflow", given, later)
  options.check("workflow", given, known)
  options.need("workflow", given, "run", "run = function(input) … end")
  if given.on_conflict then check_conflict(given.on_conflict) end
  if given.concurrency then check_concurrency(given.concurrency) end
  if given.keep then check_keep(given.keep) end
  if given.breaker then given.breaker = host.load("breaker")("workflow: breaker", given.breaker, "5m", "15m") end
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
  return host.load("workflow_of_run")(given)
end
