-- http.get|head|post|put|patch|delete(label, { … }), http.pages and http.webhook(label, { … }), http.client{ … }
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local http = {}

local methods = { get = "GET", head = "HEAD", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE" }

-- What one call takes; a connector's own options are in `connector`.
local known = {
  url = "string", query = "table", headers = "table", auth = { "userdata", "table", "string" }, json = true,
  form = "table", multipart = "table", text = "string", bytes = "string", timeout = { "string", "number" },
  retry = "table", idempotency = "string", max_bytes = "integer", was = "string", once = "boolean",
  fallback = "function", stale_ok = { "string", "number" },
}
local connector = {
  base = "string", headers = "table", auth = { "userdata", "table", "string" }, timeout = { "string", "number" },
  retry = "table", throttle = "table", at_once = "integer", breaker = { "boolean", "table" }, max_bytes = "integer",
  idempotency_header = { "string", "table" },
}
local paging = { page = { "boolean", "table" }, cursor = "table", items = "string", max_pages = "integer" }
for name, kind in pairs(known) do paging[name] = kind end
local bodies = { "json", "form", "multipart", "text", "bytes" }
for _, name in ipairs(bodies) do paging[name] = nil end
for _, name in ipairs { "idempotency", "once", "fallback", "stale_ok" } do paging[name] = nil end
local connector_call = { path = "string" }
for name, kind in pairs(known) do connector_call[name] = kind end
connector_call.url = nil
local connector_paging = { path = "string" }
for name, kind in pairs(paging) do connector_paging[name] = kind end
connector_paging.url = nil

local retry_known = { max_attempts = "integer", initial_interval = true, backoff_coefficient = "number",
                      max_interval = true, max_duration = true, jitter = "number", on = "table" }

-- A retry policy, or a list of delays, with every duration in milliseconds.
local function retry(verb, given)
  if given == nil then return nil end
  if #given > 0 then
    local delays = {}
    for index, delay in ipairs(given) do delays[index] = options.duration(verb, "retry[" .. index .. "]", delay) end
    return { delays = host.array(delays) }
  end
  options.check(verb .. ": retry", given, retry_known)
  local policy = { max_attempts = given.max_attempts, backoff_coefficient = given.backoff_coefficient,
                   jitter = given.jitter, on = given.on and host.array(given.on) }
  if given.max_attempts and given.max_attempts < 1 then
    raise { code = "PG1011", kind = "script", name = "max_attempts",
            message = verb .. ": `retry.max_attempts` must be 1 or more.", hint = "1 means: no second attempt." }
  end
  if given.initial_interval then
    policy.initial_milliseconds = options.duration(verb, "retry.initial_interval", given.initial_interval)
  end
  if given.max_interval then
    policy.max_milliseconds = options.duration(verb, "retry.max_interval", given.max_interval)
  end
  if given.max_duration then
    policy.max_duration_milliseconds = options.duration(verb, "retry.max_duration", given.max_duration)
  end
  return policy
end

local function merged(first, second)
  if not first then return second end
  if not second then return first end
  local all = {}
  for name, value in pairs(first) do all[name] = value end
  for name, value in pairs(second) do all[name] = value end
  return all
end

local function one_body(verb, given)
  local count = 0
  for _, name in ipairs(bodies) do
    if given[name] ~= nil then count = count + 1 end
  end
  if count > 1 then
    raise { code = "PG1011", kind = "script",
            message = verb .. " takes one of `json`, `form`, `multipart`, `text` and `bytes`.",
            hint = "Keep the one that the receiver expects." }
  end
end

-- The name of the header, and whether the key stands in quotes in it.
local function idempotency_header(given)
  if type(given) ~= "table" then return given and { name = given } end
  return options.check("http.client: idempotency_header", given, { name = "string", quoted = "boolean" })
end

-- A call that is sent at most once has one attempt.
local function once(verb, given, asked)
  if given.retry then
    raise { code = "PG1011", kind = "script", message = verb .. " takes `once` or `retry`, not both.", name = "retry",
            hint = "With once = true there is one attempt; try(…) gives the script its error." }
  end
  asked.retry = { max_attempts = 1 }
end

local function send(name, label, given, url, defaults)
  local verb = "http." .. name
  one_body(verb, given)
  local timeout, auth = given.timeout or defaults.timeout, given.auth or defaults.auth
  if type(auth) == "table" then host.load("http_auth")(verb, auth) end
  local asked = {
    method = methods[name] or "POST", url = url, query = given.query, headers = merged(defaults.headers, given.headers),
    auth = auth, json = given.json, form = given.form, text = given.text,
    multipart = given.multipart and host.load("http_multipart")(verb, given.multipart),
    base64 = given.bytes and host.to_base64(given.bytes), idempotency_header = defaults.idempotency_header,
    timeout_milliseconds = timeout and options.duration(verb, "timeout", timeout) or nil,
    retry = retry(verb, given.retry or defaults.retry), idempotency = given.idempotency,
    max_bytes = given.max_bytes or defaults.max_bytes, once = given.once or nil,
    stale_milliseconds = given.stale_ok and options.duration(verb, "stale_ok", given.stale_ok) or nil,
    gate = defaults.gate, webhook = given.webhook,
  }
  if given.once then once(verb, given, asked) end
  if asked.gate and (given.fallback or given.stale_ok) then asked.gate = merged(asked.gate, { impatient = true }) end
  local reply
  if given.fallback then
    local ok, result = pcall(host.await_step, verb, label, asked, given.was)
    if not ok then
      if host.is_cancellation(result) then error(result, 0) end
      return given.fallback(result)
    end
    reply = result
  else
    reply = host.await_step(verb, label, asked, given.was)
  end
  -- A reply that is no text is recorded in Base64. A person may have given anything as the result of the step.
  if type(reply) == "table" and type(reply.base64) == "string" then
    reply.body, reply.base64 = host.from_base64(reply.base64), nil
  end
  return reply
end

for name in pairs(methods) do
  http[name] = function(label, given)
    local verb = "http." .. name
    options.label(verb, label)
    options.check(verb, given, known)
    local url = options.need(verb, given or {}, "url", "{ url = \"https://api.example/things\" }")
    return send(name, label, given, url, {})
  end
end

local function pages(label, given, url, defaults)
  return host.load("http_pages")(label, given, url, function(_, call)
    return send("get", label, call, call.url, defaults)
  end)
end

--- The pages of a list: `for page in http.pages("Read accounts", { url = … }) do … end`.
function http.pages(label, given)
  options.label("http.pages", label)
  given = options.check("http.pages", given, paging)
  return pages(label, given, options.need("http.pages", given, "url", "{ url = \"https://api.example/things\" }"), {})
end

--- An event for another system, signed by Standard Webhooks.
function http.webhook(label, given)
  return host.load("http_webhook")(label, given, {}, send)
end

--- A connector: the same verbs, with `path`, and what all its calls share.
function http.client(given)
  options.check("http.client", given, connector)
  local base = options.need("http.client", given or {}, "base", "http.client { base = \"https://api.example\" }")
  local defaults = { headers = given.headers, auth = given.auth, timeout = given.timeout, retry = given.retry,
                     gate = host.load("http_gate")(given), max_bytes = given.max_bytes,
                     idempotency_header = idempotency_header(given.idempotency_header) }
  local client = {}
  local function target(verb, call)
    local path = options.need(verb, call, "path", "{ path = \"/things\" }")
    return base:gsub("/+$", "") .. "/" .. path:gsub("^/+", "")
  end
  function client.pages(label, call)
    options.label("http.pages", label)
    call = options.check("http.pages", call, connector_paging)
    return pages(label, call, target("http.pages", call), defaults)
  end
  function client.webhook(label, call)
    return host.load("http_webhook")(label, call, defaults, send, target)
  end
  for name in pairs(methods) do
    local verb = "http." .. name
    client[name] = function(label, call)
      options.label(verb, label)
      call = options.check(verb, call, connector_call)
      return send(name, label, call, target(verb, call), defaults)
    end
  end
  return client
end

return http
