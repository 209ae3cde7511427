-- ask.approval(label, { to, show, choices, comment, comment_required_on, timeout })
--   -> { outcome, by, at, comment, form, url }
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local ask = {}

local known = { to = { "table", "string" }, show = "table", choices = "table", comment = "string",
                comment_required_on = "table", timeout = { "string", "number" }, was = "string" }

local function texts(name, list)
  for index, value in ipairs(list) do
    if type(value) ~= "string" or value == "" then
      raise { code = "PG1011", kind = "script", name = name,
              message = ("ask.approval: `%s[%d]` is %s; it should be text."):format(
                name, index, options.article(type(value))),
              hint = "Correct the list." }
    end
  end
  return host.array(list)
end

local function required(given, choices)
  if given.comment == "required" then return choices end
  if given.comment ~= nil and given.comment ~= "optional" then
    raise { code = "PG1011", kind = "script", name = "comment",
            message = ("ask.approval: `comment` = \"%s\" is not known."):format(given.comment),
            hint = "Write \"optional\" or \"required\", or name the choices in `comment_required_on`." }
  end
  return texts("comment_required_on", given.comment_required_on or {})
end

-- A row is { "Name", value, as = …, link = … }, or plain text.
local function rows(show)
  local list = {}
  for index, row in ipairs(show) do
    if type(row) == "table" then
      local copy = { name = tostring(row[1]), value = row[2] }
      for name, value in pairs(row) do
        if type(name) == "string" then copy[name] = value end
      end
      list[index] = copy
    else
      list[index] = { name = tostring(row) }
    end
  end
  return host.array(list)
end

function ask.approval(label, given)
  options.label("ask.approval", label)
  options.check("ask.approval", given, known)
  given = given or {}
  local to = given.to or {}
  local choices = texts("choices", given.choices or { "approve", "reject" })
  if #choices == 0 then
    raise { code = "PG1011", kind = "script", name = "choices", message = "ask.approval: `choices` is empty.",
            hint = "Give at least one outcome, for example { \"approve\", \"reject\" }." }
  end
  local arguments = {
    to = texts("to", type(to) == "string" and { to } or to), show = rows(given.show or {}), choices = choices,
    comment_required_on = required(given, choices),
  }
  if given.timeout ~= nil then
    arguments.timeout_milliseconds = options.duration("ask.approval", "timeout", given.timeout)
    arguments.timeout = given.timeout
  end
  return host.await_step("ask.approval", label, arguments, given.was)
end

return ask
