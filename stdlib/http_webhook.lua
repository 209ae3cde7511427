-- http.webhook(label, { … }): an event for another system, signed by Standard Webhooks
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local verb = "http.webhook"

local known = {
  url = "string", secret = true, type = "string", data = true, headers = "table", timeout = { "string", "number" },
  retry = "table", was = "string", enable = "boolean",
}
local connector_known = { path = "string" }
for name, kind in pairs(known) do connector_known[name] = kind end
connector_known.url = nil

-- The run's own time, so that every attempt sends the same bytes.
local function timestamp()
  local now = host.clock(verb).now
  return ("%s.%03dZ"):format(host.load("os").date("!%Y-%m-%dT%H:%M:%S", now // 1000), now % 1000)
end

local function check_headers(headers)
  for name in pairs(headers or {}) do
    if tostring(name):lower():find("^webhook%-") then
      raise { code = "PG1144", kind = "script", name = tostring(name),
              message = ("%s sets the header %s itself."):format(verb, name),
              hint = "Leave it out, or give your header another name." }
    end
  end
end

--- `target` gives the URL of a call of a connector; without it the call has a `url`.
return function(label, given, defaults, send, target)
  options.label(verb, label)
  given = options.check(verb, given, target and connector_known or known)
  local url = target and target(verb, given)
    or options.need(verb, given, "url", "{ url = \"https://customer.example/hooks\" }")
  host.load("given_secret")(verb, given, "secret")
  check_headers(defaults.headers)
  check_headers(given.headers)
  local body = {
    type = options.need(verb, given, "type", "type = \"invoice.paid\""), timestamp = timestamp(),
    data = options.need(verb, given, "data", "data = { id = \"inv_7\" }"),
  }
  return send("webhook", label, {
    json = body, headers = given.headers, timeout = given.timeout or defaults.timeout or "20s", retry = given.retry,
    was = given.was, webhook = { secret = given.secret, enable = given.enable },
  }, url, defaults)
end
