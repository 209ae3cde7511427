-- flow: this run, its time and chance, what people see of it, and its ends
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local flow = {}

function flow.now() return host.now() end

function flow.today(zone)
  options.kind("flow.today", "the zone", zone, { "string", "nil" })
  return host.today(zone or "UTC")
end

function flow.uuid() return host.uuid() end

function flow.random(n)
  options.kind("flow.random", "n", n, { "integer", "nil" })
  if n and n < 1 then
    raise { code = "PG1011", kind = "script", message = "flow.random: n must be 1 or more.",
            hint = "flow.random(6) gives 1 to 6; flow.random() gives a fraction from 0 to 1." }
  end
  return host.random(n)
end

function flow.tag(tags)
  options.kind("flow.tag", "tags", tags, "table")
  host.tag(tags)
end

function flow.status(text) host.status(tostring(text)) end

function flow.note(text, data)
  options.kind("flow.note", "data", data, { "table", "nil" })
  host.note("note", "info", tostring(text), data)
end

--- Ends the run as failed, unless something catches it.
function flow.fail(text, data)
  options.kind("flow.fail", "data", data, { "table", "nil" })
  raise { code = "PG2001", kind = "failed", message = tostring(text), data = data, retryable = false }
end

--- Ends the run on purpose; nothing after it runs.
function flow.stop(text)
  return host.await_step("flow.stop", "Stop", { text = text ~= nil and tostring(text) or nil })
end

--- Hands data that can't go on to a person: the repaired data, or nil if it was discarded.
function flow.park(label, given)
  return host.load("park")(label, given)
end

--- Whether this run comes to this line for the first time in a version that has it. The name is kept with the run.
function flow.changed(name)
  options.label("flow.changed", name)
  return host.changed(name)
end

return host.load("sealed")("flow", flow, {
  call = "flow_call", continue = "flow_continue", csv = "flow_csv", json = "flow_json", list = "flow_list",
  lock = "flow_lock", metric = "flow_metric", run = "flow_run", start = "flow_start", state = "flow_state",
  text = "flow_text", time = "flow_time",
})
