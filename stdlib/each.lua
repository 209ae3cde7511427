-- each(label, list, function(item) … end, { key = "id", at_once = 5, on_error = "wait"|"stop"|"continue" })
--   -> { ok, failed, items = { { key, ok, value | error }, … } }
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local branches = host.load("branches")

local known = { key = { "string", "function" }, on_error = "string", at_once = "integer" }
local default_at_once = 5

local function refuse_key(index, what)
  raise { code = "PG1090", kind = "script", name = "key",
          message = ("each: item %d has %s."):format(index, what),
          hint = "`key` names a field that every item has, with text or a number of its own: it tells which item a "
            .. "step belongs to when the list is read again." }
end

-- The names of the items: their keys, or their places.
local function keys(list, key)
  local names, seen = {}, {}
  for index, item in ipairs(list) do
    local value = index
    if type(key) == "function" then
      value = key(item)
    elseif key then
      value = type(item) == "table" and item[key] or nil
    end
    if value == nil then refuse_key(index, "no key") end
    if type(value) ~= "string" and type(value) ~= "number" then
      refuse_key(index, "a key that is " .. options.article(type(value)))
    end
    local name = tostring(value)
    if #name > 200 then refuse_key(index, ("a key of %d bytes; 200 are the most"):format(#name)) end
    if seen[name] then refuse_key(index, ("the same key as item %d: \"%s\""):format(seen[name], name)) end
    seen[name] = index
    names[index] = name
  end
  return names
end

return function(label, list, fn, given)
  options.label("each", label)
  options.kind("each", "the list", list, "table")
  options.kind("each", "the third argument", fn, "function")
  given = options.check("each", given, known)
  local names = keys(list, given.key)
  local on_error, at_once = branches.read("each", given, default_at_once)
  local items, ok_count, failed_count = {}, 0, 0
  local failure = branches.run(label, #names, on_error, at_once,
    function(index)
      local item = list[index]
      return names[index], function() return fn(item, index) end
    end,
    function(index, ok, value)
      if ok then ok_count = ok_count + 1 else failed_count = failed_count + 1 end
      items[index] = { key = names[index], ok = ok, value = ok and value or nil, error = not ok and value or nil }
    end)
  if failure then raise(failure) end
  return { ok = ok_count, failed = failed_count, items = items }
end
