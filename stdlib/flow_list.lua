-- flow.list: what is done with lists. Functions that are given may call durable verbs.
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local list = {}

local array = host.array

local function check(name, items)
  options.kind("flow.list." .. name, "list", items, "table")
  if rawlen(items) == 0 and next(items) ~= nil then
    raise { code = "PG1011", kind = "script",
            message = ("flow.list.%s: the list is a table with named fields."):format(name),
            hint = "Give it flow.list.values(t) or flow.list.keys(t)." }
  end
end

local function callable(name, what, value) options.kind("flow.list." .. name, what, value, "function") end

local function whole(name, what, value, least)
  options.kind("flow.list." .. name, what, value, "integer")
  if least and value < least then
    raise { code = "PG1011", kind = "script",
            message = ("flow.list.%s: `%s` is %d; %d is the least."):format(name, what, value, least),
            hint = "Correct the value." }
  end
end

local function unfit(name, index, what, hint)
  raise { code = "PG1078", kind = "validation", item = index,
          message = ("flow.list.%s: item %d %s."):format(name, index, what), hint = hint }
end

--- What a list is arranged by: a field's name, or a function of the item; nothing means the item itself.
local function reader(name, by)
  options.kind("flow.list." .. name, "by", by, { "string", "function", "nil" })
  if by == nil then return function(item) return item end end
  if type(by) == "function" then return by end
  return function(item, index)
    if type(item) ~= "table" then
      unfit(name, index, ("is %s, and has no field `%s`"):format(options.article(type(item)), by),
            "Give a function of the item, or correct the list.")
    end
    return item[by]
  end
end

--- What stands for an item; it must be there.
local function key_of(name, read, by, item, index)
  local key = read(item, index)
  if key == nil or key == host.null or key ~= key then
    unfit(name, index, type(by) == "string" and ("has no `%s`"):format(by) or "gives nothing to go by",
          "Leave it out with flow.list.filter, or give a function with a value for every item.")
  end
  return key
end

function list.map(items, f)
  check("map", items)
  callable("map", "f", f)
  local result = {}
  for index, item in ipairs(items) do
    local made = f(item, index)
    if made == nil then
      unfit("map", index, "became nothing (nil)", "Return flow.json.null for an empty place, or use flow.list.filter.")
    end
    result[index] = made
  end
  return array(result)
end

function list.filter(items, test)
  check("filter", items)
  callable("filter", "test", test)
  local result = {}
  for index, item in ipairs(items) do
    if test(item, index) then result[#result + 1] = item end
  end
  return array(result)
end

function list.reduce(items, f, initial)
  check("reduce", items)
  callable("reduce", "f", f)
  local result, first = initial, 1
  if initial == nil then result, first = items[1], 2 end
  for index = first, #items do result = f(result, items[index], index) end
  return result
end

--- The first item that passes the test, and its place; nil if there is none.
function list.find(items, test)
  check("find", items)
  callable("find", "test", test)
  for index, item in ipairs(items) do
    if test(item, index) then return item, index end
  end
  return nil
end

function list.any(items, test)
  check("any", items)
  callable("any", "test", test)
  for index, item in ipairs(items) do
    if test(item, index) then return true end
  end
  return false
end

function list.all(items, test)
  check("all", items)
  callable("all", "test", test)
  for index, item in ipairs(items) do
    if not test(item, index) then return false end
  end
  return true
end

--- A sorted copy; what compares equal stays in its order.
function list.sort_by(items, by, given)
  check("sort_by", items)
  given = options.check("flow.list.sort_by", given, { descending = "boolean" })
  local read, keys, order, kind = reader("sort_by", by), {}, {}, nil
  for index, item in ipairs(items) do
    local key = key_of("sort_by", read, by, item, index)
    kind = kind or type(key)
    if type(key) ~= kind or (kind ~= "number" and kind ~= "string") then
      unfit("sort_by", index, ("is sorted by %s, and item 1 by %s"):format(options.article(type(key)),
            options.article(kind)), "Sort by text or by numbers; tonumber(text) makes a number of text.")
    end
    keys[index], order[index] = key, index
  end
  if given.descending then table.sort(order, function(a, b) return keys[a] > keys[b] end)
  else table.sort(order, function(a, b) return keys[a] < keys[b] end) end
  for place, index in ipairs(order) do order[place] = items[index] end
  return array(order)
end

--- A table from each value of `by` to the list of its items.
function list.group_by(items, by)
  check("group_by", items)
  local read, groups = reader("group_by", by), {}
  for index, item in ipairs(items) do
    local key = key_of("group_by", read, by, item, index)
    local group = groups[key]
    if not group then
      group = array {}
      groups[key] = group
    end
    group[#group + 1] = item
  end
  return groups
end

--- A table from each value of `by` to its item; of several the last.
function list.index_by(items, by)
  check("index_by", items)
  local read, result = reader("index_by", by), {}
  for index, item in ipairs(items) do result[key_of("index_by", read, by, item, index)] = item end
  return result
end

--- The first of the items that are the same, or have the same `by`. Tables are the same if they hold the same data.
function list.unique(items, by)
  check("unique", items)
  local read, seen, result = reader("unique", by), {}, {}
  for index, item in ipairs(items) do
    local key = key_of("unique", read, by, item, index)
    if type(key) == "table" then key = "\0" .. host.json_encode(key) end
    if not seen[key] then
      seen[key] = true
      result[#result + 1] = item
    end
  end
  return array(result)
end

--- The sum of the items, or of a field. Whole numbers stay whole; what rounding loses on the way is added at the end
--- (Neumaier 1974).
function list.sum(items, by)
  check("sum", items)
  local read, total, lost = reader("sum", by), 0, 0
  for index, item in ipairs(items) do
    local value = key_of("sum", read, by, item, index)
    if type(value) ~= "number" then
      unfit("sum", index, ("is %s, and not a number"):format(options.article(type(value))),
            "tonumber(text) makes a number of text.")
    end
    local sum = total + value
    if math.type(sum) == "float" then
      lost = lost + (math.abs(total) >= math.abs(value) and (total - sum) + value or (value - sum) + total)
    end
    total = sum
  end
  -- What is infinite has lost nothing.
  if lost == 0 or math.abs(total) == math.huge then return total end
  return total + lost
end

--- One field of every item that has it.
function list.pluck(items, name)
  check("pluck", items)
  options.kind("flow.list.pluck", "name", name, "string")
  local read, result = reader("pluck", name), {}
  for index, item in ipairs(items) do
    local value = read(item, index)
    if value ~= nil then result[#result + 1] = value end
  end
  return array(result)
end

function list.slice(items, from, to)
  check("slice", items)
  whole("slice", "from", from)
  if to ~= nil then whole("slice", "to", to) else to = #items end
  if from < 0 then from = #items + from + 1 end
  if to < 0 then to = #items + to + 1 end
  local result = {}
  for index = math.max(from, 1), math.min(to, #items) do result[#result + 1] = items[index] end
  return array(result)
end

function list.take(items, n)
  check("take", items)
  whole("take", "n", n, 0)
  return list.slice(items, 1, math.min(n, #items))
end

--- The list in parts of n items; the last may have fewer.
function list.chunk(items, n)
  check("chunk", items)
  whole("chunk", "n", n, 1)
  local result = {}
  for index, item in ipairs(items) do
    if (index - 1) % n == 0 then result[#result + 1] = array {} end
    local part = result[#result]
    part[#part + 1] = item
  end
  return array(result)
end

--- The lists within a list put into one; other items stay.
function list.flatten(items)
  check("flatten", items)
  local result = {}
  for _, item in ipairs(items) do
    if type(item) == "table" and (host.is_array(item) or rawlen(item) > 0) then
      for _, inner in ipairs(item) do result[#result + 1] = inner end
    else
      result[#result + 1] = item
    end
  end
  return array(result)
end

function list.concat(...)
  local result = {}
  for position = 1, select("#", ...) do
    local items = select(position, ...)
    check("concat", items)
    for _, item in ipairs(items) do result[#result + 1] = item end
  end
  return array(result)
end

function list.reverse(items)
  check("reverse", items)
  local result, count = {}, #items
  for index = 1, count do result[index] = items[count - index + 1] end
  return array(result)
end

function list.contains(items, value)
  check("contains", items)
  for _, item in ipairs(items) do
    if item == value then return true end
  end
  return false
end

--- The whole numbers from one to another.
function list.range(from, to, step)
  whole("range", "from", from)
  whole("range", "to", to)
  if step == nil then step = 1 end
  options.kind("flow.list.range", "step", step, "integer")
  if step == 0 then
    raise { code = "PG1011", kind = "script", message = "flow.list.range: `step` is 0, which leads nowhere.",
            hint = "Write flow.list.range(1, 10), or flow.list.range(10, 1, -1)." }
  end
  local result = {}
  for number = from, to, step do result[#result + 1] = number end
  return array(result)
end

--- The keys of a table, in the order of pairs.
function list.keys(fields)
  options.kind("flow.list.keys", "table", fields, "table")
  local result = {}
  for key in pairs(fields) do result[#result + 1] = key end
  return array(result)
end

--- The values of a table, in the order of its keys.
function list.values(fields)
  options.kind("flow.list.values", "table", fields, "table")
  local result = {}
  for _, value in pairs(fields) do result[#result + 1] = value end
  return array(result)
end

return host.load("sealed")("flow.list", list)
