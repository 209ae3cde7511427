-- What every verb that asks a person has in common: its options, checked and put into one form.
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local question = {}

--- The options that every such verb takes.
question.known = { to = { "table", "string" }, not_by = { "table", "string" }, timeout = { "string", "number" },
                   remind = { "table", "string" }, hours = "string", was = "string" }

local function refuse(name, message, hint)
  raise { code = "PG1011", kind = "script", name = name, message = message, hint = hint }
end
question.refuse = refuse

--- A list of texts; one text stands for a list of one.
function question.texts(verb, name, value)
  local list = type(value) == "string" and { value } or value or {}
  for index, text in ipairs(list) do
    if type(text) ~= "string" or text == "" then
      refuse(name, ("%s: `%s[%d]` is %s; it should be text."):format(
        verb, name, index, text == "" and "empty" or options.article(type(text))), "Correct the list.")
    end
  end
  for key in pairs(list) do
    if math.type(key) ~= "integer" or key < 1 or key > #list then
      refuse(name, ("%s: `%s` is no list of texts: it has `%s`."):format(verb, name, tostring(key)),
             ("Write %s = { \"one\", \"two\" }."):format(name))
    end
  end
  return host.array(list)
end

--- The choice that a text means, in the script's own capitals; nil for none.
function question.choice(choices, text)
  for _, choice in ipairs(choices) do
    if type(text) == "string" and choice:lower() == text:lower() then return choice end
  end
end

--- Texts that are choices, in the choices' own capitals.
function question.among(verb, name, value, choices)
  local list = question.texts(verb, name, value)
  for index, text in ipairs(list) do
    list[index] = question.choice(choices, text)
    if not list[index] then
      local near = host.nearest(text, choices)
      refuse(name, ("%s: `%s` names \"%s\", which is no choice."):format(verb, name, text),
             near and ("Did you mean \"%s\"?"):format(near)
               or ("The choices are: %s."):format(table.concat(choices, ", ")))
    end
  end
  return list
end

--- Rows for people to read: { "Name", value, as = …, link = … }, or plain text.
function question.rows(show)
  local list = {}
  for index, row in ipairs(show or {}) do
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

local field_known = { name = "string", type = "string", min = "number", max = "number", one_of = "table",
                      required = "boolean", default = { "string", "number", "boolean" },
                      on = { "table", "string" } }

local function field(verb, name, given, choices)
  local place = ("%s: form.%s"):format(verb, name)
  if type(given) == "string" then given = { given } end
  if type(given) ~= "table" then
    refuse("form", ("%s is %s; it should be a table."):format(place, options.article(type(given))),
           "Write form = { amount = { \"Amount\", type = \"number\" } }.")
  end
  local named = {}
  for key, value in pairs(given) do
    if key ~= 1 then named[key] = value end
  end
  options.check(place, named, field_known)
  options.kind(place, "the title", given[1], { "string", "nil" })
  return {
    name = name, title = given[1] or name, type = given.type, min = given.min, max = given.max,
    one_of = given.one_of and question.texts(place, "one_of", given.one_of), required = given.required,
    default = given.default, on = given.on and question.among(place, "on", given.on, choices),
  }
end

--- The fields of a form: by name, which are then in the order of their names, or a list of fields with names.
function question.form(verb, form, choices)
  local list, seen = {}, {}
  for key, given in pairs(form or {}) do
    local name = key
    if math.type(key) == "integer" then
      name = type(given) == "table" and given.name
      if type(name) ~= "string" or name == "" then
        refuse("form", ("%s: form[%d] has no name."):format(verb, key),
               "Write form = { amount = { \"Amount\" } }, or { { name = \"amount\", \"Amount\" } } to keep an order.")
      end
    end
    if seen[name] or #name > 100 then
      refuse("form", ("%s: form has the field `%s` twice, or its name is too long."):format(verb, name),
             "Give each field a name of its own, of at most 100 characters.")
    end
    seen[name] = true
    list[#list + 1] = field(verb, name, given, choices)
  end
  if #list > 50 then
    refuse("form", ("%s: form has %d fields; 50 are the most."):format(verb, #list), "Ask for less at once.")
  end
  return #list > 0 and host.array(list) or nil
end

--- Adds to a verb's arguments what all such verbs take, and asks.
function question.ask(verb, label, given, arguments)
  arguments.to = question.texts(verb, "to", given.to)
  if given.not_by ~= nil then arguments.not_by = question.texts(verb, "not_by", given.not_by) end
  if given.timeout ~= nil then
    arguments.timeout_milliseconds = options.duration(verb, "timeout", given.timeout)
    arguments.timeout = given.timeout
  end
  if given.remind ~= nil then
    local times, lengths = question.texts(verb, "remind", given.remind), {}
    if #times > 20 then
      refuse("remind", ("%s: `remind` has %d times; 20 are the most."):format(verb, #times), "Remind less often.")
    end
    for index, text in ipairs(times) do lengths[index] = options.duration(verb, "remind", text) end
    arguments.remind, arguments.remind_milliseconds = times, host.array(lengths)
  end
  arguments.hours = given.hours
  return host.await_step(verb, label, arguments, given.was)
end

return question
