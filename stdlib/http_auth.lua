-- Checks `auth = { oauth2 = { … } }` and `auth = { hmac = { … } }` of a call.
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local secret = host.load("given_secret")

local oauth2 = { token_url = "string", client_id = { "string", "userdata" }, client_secret = true, scope = "string",
                 audience = "string" }
local hmac = { secret = true, header = "string", algorithm = "string", prefix = "string", encoding = "string" }

local function one_of(verb, given, name, values)
  if given[name] == nil then return end
  for _, value in ipairs(values) do
    if given[name] == value then return end
  end
  raise { code = "PG1011", kind = "script", name = name,
          message = ("%s: `%s` can't be \"%s\"."):format(verb, name, given[name]),
          hint = ("It is one of: %s."):format(table.concat(values, ", ")) }
end

return function(verb, auth)
  if type(auth.oauth2) == "table" then
    local given, place = auth.oauth2, verb .. ": oauth2"
    options.check(place, given, oauth2)
    options.need(place, given, "token_url", "token_url = \"https://login.example/token\"")
    options.need(place, given, "client_id", "client_id = \"my-app\"")
    secret(place, given, "client_secret")
  elseif type(auth.hmac) == "table" then
    local given, place = auth.hmac, verb .. ": hmac"
    options.check(place, given, hmac)
    options.need(place, given, "header", "header = \"X-Signature\"")
    secret(place, given, "secret")
    one_of(place, given, "algorithm", { "sha256", "sha384", "sha512" })
    one_of(place, given, "encoding", { "hex", "base64" })
  end
end
