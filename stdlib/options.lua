-- Checks what a script gives to a verb, in the same words for every verb.
local host = ...
local raise = host.load("errors")
local options = {}

local function refuse(code, message, hint, name)
  raise { code = code, kind = "script", message = message, hint = hint, name = name }
end

local function article(kind)
  local names = { table = "a table", string = "text", number = "a number", boolean = "true or false",
                  ["function"] = "a function", ["nil"] = "nothing (nil)",
                  userdata = "a handle", thread = "a coroutine" }
  return names[kind] or kind
end
options.article = article

--- The label of a step: text that people will read.
function options.label(verb, label)
  if type(label) ~= "string" or label == "" then
    refuse("PG1011", ("%s needs a label as its first argument, and got %s."):format(verb, article(type(label))),
           (type(label) == "table" and "Use a dot, not a colon: %s(\"What this step does\", { … })."
             or "Write %s(\"What this step does\", { … })."):format(verb))
  end
  if #label > 200 then
    refuse("PG1011", ("The label of %s has %d characters; 200 are the most."):format(verb, #label),
           "Shorten it, and put details into a note or the options.")
  end
  return label
end

--- The options table of a verb: only known names, each with its type.
-- `known` maps a name to a type, or to a list of types, or to true for anything.
function options.check(verb, given, known)
  if given == nil then given = {} end
  if type(given) ~= "table" then
    refuse("PG1011", ("%s takes a table of options, and got %s."):format(verb, article(type(given))),
           ("Write %s(\"Label\", { … })."):format(verb))
  end
  for name, value in pairs(given) do
    local wanted = known[name]
    if wanted == nil then
      local names = {}
      for candidate in pairs(known) do names[#names + 1] = candidate end
      table.sort(names)
      local near = type(name) == "string" and host.nearest(name, names)
      refuse("PG1005", ("%s has no option `%s`."):format(verb, tostring(name)),
             near and ("Did you mean `%s`?"):format(near) or ("It takes: %s."):format(table.concat(names, ", ")),
             tostring(name))
    end
    options.kind(verb, name, value, wanted)
  end
  return given
end

--- One option's type.
function options.kind(verb, name, value, wanted)
  if wanted == true then return end
  local kind = type(value)
  local list = type(wanted) == "table" and wanted or { wanted }
  for _, one in ipairs(list) do
    if one == kind or (one == "integer" and math.type(value) == "integer") then return end
  end
  local names = {}
  for _, one in ipairs(list) do names[#names + 1] = one == "integer" and "a whole number" or article(one) end
  refuse("PG1011", ("%s: `%s` is %s; it should be %s."):format(verb, name, article(kind), table.concat(names, " or ")),
         "Correct the value.", name)
end

--- A key that names something: text of 1 to 512 bytes.
function options.key(verb, name, key, example)
  options.kind(verb, name, key, "string")
  if key == "" or #key > 512 then
    refuse("PG1132", ("%s: %s has %d bytes; it should have 1 to 512."):format(verb, name, #key),
           ("Name it by something short: %s."):format(example), "key")
  end
end

--- A key of a durable value: those that begin with `perigee/` are the host's own.
function options.state_key(verb, key)
  options.key(verb, "the key", key, "\"version:\" .. account.id")
  if key:sub(1, 8) == "perigee/" then
    refuse("PG1132", ("%s: the key \"%s\" begins with perigee/, which is the host's own."):format(verb, key),
           "Choose another beginning.", "key")
  end
end

--- An option that must be there.
function options.need(verb, given, name, example)
  if given[name] == nil then
    refuse("PG1011", ("%s needs the option `%s`."):format(verb, name), ("For example: %s."):format(example))
  end
  return given[name]
end

--- A duration in milliseconds, from text such as "90s" or "1h30m".
function options.duration(verb, name, value)
  if type(value) == "number" then
    refuse("PG1013", ("%s: `%s` is the bare number %s: %s what?"):format(verb, name, value, value),
           ("Write \"%ss\" for seconds, or \"15m\", \"48h\", \"3d\"."):format(value), name)
  end
  local milliseconds = type(value) == "string" and host.duration(value)
  if not milliseconds then
    local shown = type(value) == "string" and ("\"%s\""):format(value) or article(type(value))
    refuse("PG1013", ("%s: `%s` = %s is no duration."):format(verb, name, shown),
           "Write for example \"90s\", \"15m\", \"48h\", \"3d\", \"1h30m\" or \"PT48H\".", name)
  end
  return milliseconds
end

return options
