-- os: time and dates, by the run's recorded clock, in UTC, in the C locale; what else stock Lua has here does not exist
local host = ...
local raise = host.load("errors")
local calendar = host.load("calendar")
local os = {}

local largest = 2147483647

--- The error of a wrong argument, in the words of stock Lua, at the line that called the function.
local function refuse(name, position, why)
  error(("bad argument #%d to '%s' (%s)"):format(position, name, why), 3)
end

--- The whole number that an argument is; otherwise nil and why it is none.
local function whole(value)
  local kind = type(value)
  local number = (kind == "number" or kind == "string") and tonumber(value)
  if not number then return nil, "number expected, got " .. kind end
  local integer = math.tointeger(number)
  if not integer then return nil, "number has no integer representation" end
  return integer
end

--- A field of a date table, as stock Lua reads it.
local function field(date, name, default, base)
  local value = date[name]
  local number = math.tointeger(type(value) == "string" and tonumber(value) or value)
  if not number then
    if value ~= nil then error(("field '%s' is not an integer"):format(name), 3) end
    if not default then error(("field '%s' missing in date table"):format(name), 3) end
    return default
  end
  if number - base > largest or number < base - largest - 1 then
    error(("field '%s' is out-of-bound"):format(name), 3)
  end
  return number
end

local function seconds_now(name) return host.clock(name).now // 1000 end

--- Whether the year can stand in a date of stock Lua.
local function representable(year) return year - 1900 <= largest and year - 1900 >= -largest - 1 end

function os.time(date)
  if date == nil then return seconds_now("os.time") end
  if type(date) ~= "table" then refuse("time", 1, "table expected, got " .. type(date)) end
  local year, month = field(date, "year", nil, 1900), field(date, "month", nil, 1)
  local day, hour = field(date, "day", nil, 0), field(date, "hour", 12, 0)
  local min, sec = field(date, "min", 0, 0), field(date, "sec", 0, 0)
  local time = (calendar.days(year, month) + day - 1) * 86400 + hour * 3600 + min * 60 + sec
  local normal = calendar.fields(time)
  if not representable(normal.year) then
    error("time result cannot be represented in this installation", 2)
  end
  for name, value in pairs(normal) do date[name] = value end
  return time
end

function os.date(...)
  local format, time = ...
  if format == nil then format = "%c" end
  if type(format) ~= "string" and type(format) ~= "number" then
    refuse("date", 1, "string expected, got " .. type(format))
  end
  if time ~= nil then
    local seconds, why = whole(time)
    if not seconds then refuse("date", 2, why) end
    time = seconds
  else
    time = seconds_now("os.date")
  end
  format = tostring(format)
  local zone = "UTC"
  if format:sub(1, 1) == "!" then format, zone = format:sub(2), "GMT" end
  local fields = calendar.fields(time)
  if not representable(fields.year) then
    error("date result cannot be represented in this installation", 2)
  end
  if format == "*t" then return fields end
  local text, wrong = calendar.text(format, fields, zone)
  if not text then refuse("date", 1, ("invalid conversion specifier '%%%s'"):format(wrong)) end
  return text
end

function os.difftime(...)
  local times = table.pack(...)
  for position = 1, 2 do
    local seconds, why = whole(times[position])
    if not seconds and position > times.n then why = "number expected, got no value" end
    if not seconds then refuse("difftime", position, why) end
    times[position] = seconds
  end
  return (times[1] - times[2]) + 0.0
end

--- Seconds since the run began, by the recorded clock: it stands still while code runs.
function os.clock()
  local clock = host.clock("os.clock")
  return (clock.now - clock.started) / 1000
end

local files = "A workflow has no files; read and write through http or call."
local ways = {
  execute = "A workflow starts no processes; use http or call.",
  exit = "End the run by `return`, flow.stop(text) or flow.fail(text).",
  getenv = "Use config \"NAME\" for a setting, or secret \"NAME\" for a secret.",
  remove = files, rename = files, tmpname = files,
  setlocale = "The locale is always \"C\".",
}

return setmetatable(os, {
  __metatable = "os",
  __newindex = function()
    raise { code = "PG1004", kind = "script", message = "`os` can't be changed.", hint = "Use a local variable." }
  end,
  __index = function(_, name)
    raise { code = "PG1002", kind = "script", name = tostring(name),
            message = ("`os.%s` does not exist in workflow scripts."):format(tostring(name)),
            hint = ways[name] or "There is: os.clock, os.date, os.difftime, os.time." }
  end,
})
