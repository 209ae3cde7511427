-- The functions of flow.text that take a regular expression. The host finds where it matches, in time linear in the
-- text; what is made of that is made here.
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local regex = {}

local function check(name, s, pattern)
  options.kind("flow.text." .. name, "text", s, "string")
  options.kind("flow.text." .. name, "pattern", pattern, "string")
  for what, value in pairs { text = s, pattern = pattern } do
    local _, wrong = utf8.len(value)
    if wrong then
      raise { code = "PG1072", kind = "validation", position = wrong,
              message = ("flow.text.%s: the %s is no UTF-8 from byte %d on."):format(name, what, wrong),
              hint = "Regular expressions are for text; look into bytes with string.find(s, part, 1, true)." }
    end
  end
end

--- What one match gives: the text if there are no groups, the named groups if there are some, otherwise a list.
local function captures(s, found, at)
  local spans = found.spans
  if found.groups == 0 then return s:sub(spans[at] + 1, spans[at + 1]) end
  local result = {}
  if not next(found.names) then host.array(result) end
  for group = 1, found.groups do
    local from, to = spans[at + 2 * group], spans[at + 2 * group + 1]
    local name = found.names[tostring(group)]
    if name then
      if from >= 0 then result[name] = s:sub(from + 1, to) end
    elseif not next(found.names) then
      result[group] = from >= 0 and s:sub(from + 1, to) or ""
    end
  end
  return result
end

--- Calls `take` with each match: what the host found, and where in its spans the match begins.
local function each(name, s, pattern, take)
  local from, last_end = 0, -1
  repeat
    -- The host gives as many at once as it finds in a moment.
    local found = host.regex("flow.text." .. name, pattern, s, from, last_end, 10000)
    local stride = 2 * (found.groups + 1)
    for at = 1, #found.spans, stride do
      take(found, at)
      last_end = found.spans[at + 1]
    end
    from = found.next
  until not from
end

--- The first match, or nil.
function regex.match(s, pattern)
  check("match", s, pattern)
  local found = host.regex("flow.text.match", pattern, s, 0, -1, 1)
  if #found.spans == 0 then return nil end
  return captures(s, found, 1)
end

--- A list of all matches.
function regex.match_all(s, pattern)
  check("match_all", s, pattern)
  local result = host.array {}
  each("match_all", s, pattern, function(found, at) result[#result + 1] = captures(s, found, at) end)
  return result
end

--- Whether there is a match.
function regex.test(s, pattern)
  check("test", s, pattern)
  return #host.regex("flow.text.test", pattern, s, 0, -1, 1).spans > 0
end

--- The group that a replacement means; 0 is the whole match.
local function group_of(found, meant)
  local number = math.tointeger(tonumber(meant))
  if number and number <= found.groups then return number end
  for group, name in pairs(found.names) do
    if name == meant then return math.tointeger(tonumber(group)) end
  end
  raise { code = "PG1011", kind = "script",
          message = ("flow.text.replace_all: the pattern has no group `%s`."):format(meant),
          hint = "$1 is the first group, ${name} a named one, $0 the whole match; $$ is a dollar sign." }
end

--- A replacement as a list of texts and groups.
local function template(found, with)
  local parts, at = {}, 1
  while true do
    local dollar = with:find("$", at, true)
    parts[#parts + 1] = with:sub(at, (dollar or 0) - 1)
    if not dollar then return parts end
    local from, to, meant = with:find("^(%d)", dollar + 1)
    if not from then from, to, meant = with:find("^{([%w_]+)}", dollar + 1) end
    if from then
      parts[#parts + 1] = group_of(found, meant)
    elseif with:sub(dollar + 1, dollar + 1) == "$" then
      parts[#parts + 1], to = "$", dollar + 1
    else
      group_of(found, with:sub(dollar + 1, dollar + 1))
    end
    at = to + 1
  end
end

local function filled(s, found, at, parts)
  local result = {}
  for index, part in ipairs(parts) do
    if type(part) == "string" then
      result[index] = part
    else
      local from, to = found.spans[at + 2 * part], found.spans[at + 2 * part + 1]
      result[index] = from >= 0 and s:sub(from + 1, to) or ""
    end
  end
  return table.concat(result)
end

--- Every match replaced: by a text, in which $1 and ${name} are groups, or by what a function of the match returns (nil
--- leaves the match as it is).
function regex.replace_all(s, pattern, with)
  check("replace_all", s, pattern)
  options.kind("flow.text.replace_all", "replacement", with, { "string", "function" })
  local parts, result, done = nil, {}, 0
  each("replace_all", s, pattern, function(found, at)
    local from, to = found.spans[at], found.spans[at + 1]
    local new
    if type(with) == "function" then
      new = with(captures(s, found, at))
      options.kind("flow.text.replace_all", "the function's result", new, { "string", "number", "nil" })
    else
      parts = parts or template(found, with)
      new = filled(s, found, at, parts)
    end
    result[#result + 1] = s:sub(done + 1, from)
    result[#result + 1] = new or s:sub(from + 1, to)
    done = to
  end)
  result[#result + 1] = s:sub(done + 1)
  return table.concat(result)
end

return regex
