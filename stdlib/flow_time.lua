-- flow.time: moments, which are RFC 3339 text in UTC like flow.now(), and what the calendar of a zone makes of them
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local calendar = host.load("calendar")
local reading = host.load("flow_dates")
local time = {}

local day = 86400000

local function refuse(name, message, hint)
  raise { code = "PG1011", kind = "script", message = ("flow.time.%s: %s."):format(name, message), hint = hint }
end

--- The text of a moment in milliseconds.
local function text_of(name, moment)
  if moment < -62135596800000 or moment > 253402300799999 then
    raise { code = "PG1076", kind = "validation",
            message = ("flow.time.%s: the time is not between the years 1 and 9999."):format(name),
            hint = "Check the duration, or the numbers that the time is made of." }
  end
  return host.time_text(moment)
end

local function zone_of(name, zone)
  options.kind("flow.time." .. name, "zone", zone, { "string", "nil" })
  return zone or "UTC"
end

--- The moment in milliseconds that an argument is. A local time is one where the zone is given.
local function moment_of(name, what, value, zone)
  options.kind("flow.time." .. name, what, value, "string")
  return reading.exact(value) or reading.moment("flow.time." .. name, value, zone)
end

--- A moment as the clocks of a zone show it: milliseconds as if it were UTC, and the offset in seconds.
local function local_of(name, moment, zone)
  local offset = host.zone_offset("flow.time." .. name, moment, zone)
  return moment + offset * 1000, offset
end

local function moment_at(name, shown, zone) return host.zone_time("flow.time." .. name, shown, zone) end

--- Reads a time: RFC 3339, or a local time in a zone, or one that a pattern describes.
function time.parse(text, given)
  options.kind("flow.time.parse", "text", text, "string")
  given = options.check("flow.time.parse", given, { zone = "string", pattern = "string" })
  local moment
  if given.pattern then
    moment = reading.by_pattern("flow.time.parse", text, given.pattern, given.zone)
  else
    local exact = text:gsub("^(%d+%-%d+%-%d+) ", "%1T")
    moment = reading.exact(exact) or reading.moment("flow.time.parse", text, given.zone)
  end
  return text_of("parse", moment)
end

local function offset_text(offset)
  local sign, minutes = offset < 0 and "-" or "+", math.abs(offset) // 60
  return ("%s%02d%02d"):format(sign, minutes // 60, minutes % 60)
end

--- The text of a moment in a zone, by the conversions of strftime: "%d.%m.%Y %H:%M".
function time.format(value, pattern, zone)
  options.kind("flow.time.format", "pattern", pattern, "string")
  local moment = moment_of("format", "time", value, zone)
  zone = zone_of("format", zone)
  local shown, offset = local_of("format", moment, zone)
  local fields = calendar.fields(shown // 1000)
  fields.offset = offset_text(offset)
  local text, rest = calendar.text(pattern, fields, zone)
  if not text then
    refuse("format", ("`%%%s` in the pattern is no conversion"):format(rest:sub(1, 2)),
           "Write for example \"%Y-%m-%d %H:%M\"; a percent sign is %%.")
  end
  return text
end

--- The parts of a moment in a zone; the weekday is 1 on Mondays.
function time.parts(value, zone)
  local moment = moment_of("parts", "time", value, zone)
  local shown, offset = local_of("parts", moment, zone_of("parts", zone))
  local f = calendar.fields(shown // 1000)
  return { year = f.year, month = f.month, day = f.day, hour = f.hour, minute = f.min, second = f.sec,
           millisecond = shown % 1000, weekday = (f.wday + 5) % 7 + 1, yearday = f.yday, offset = offset }
end

--- The date in a zone: 2026-09-21.
function time.date(value, zone)
  local moment = moment_of("date", "time", value, zone)
  local shown = local_of("date", moment, zone_of("date", zone))
  return (calendar.text("%F", calendar.fields(shown // 1000)))
end

--- The day of the week in a zone, in English: Monday.
function time.weekday(value, zone)
  local moment = moment_of("weekday", "time", value, zone)
  local shown = local_of("weekday", moment, zone_of("weekday", zone))
  return (calendar.text("%A", calendar.fields(shown // 1000)))
end

--- Milliseconds of a duration that may have a minus before it.
local function signed(name, text)
  local sign, rest = 1, text
  if text:sub(1, 1) == "-" then sign, rest = -1, text:sub(2) end
  return sign * options.duration("flow.time." .. name, "amount", rest)
end

local units = {
  years = "integer", months = "integer", weeks = "integer", days = "integer", hours = "integer", minutes = "integer",
  seconds = "integer",
}

--- A moment on the calendar of a zone, some months and days later. A day that the month has not becomes its last.
local function on_calendar(name, moment, months, days, zone)
  local shown = local_of(name, moment, zone)
  local f = calendar.fields(shown // 1000)
  local first = calendar.days(f.year, f.month + months)
  local length = calendar.days(f.year, f.month + months + 1) - first
  return moment_at(name, (first + math.min(f.day, length) - 1 + days) * day + shown % day, zone)
end

--- Later by a duration ("3d" is 72 hours), or by years, months, weeks and days on the calendar of a zone.
function time.add(value, amount, zone)
  local moment = moment_of("add", "time", value, zone)
  if type(amount) ~= "table" then
    if type(amount) ~= "string" then options.duration("flow.time.add", "amount", amount) end
    return text_of("add", moment + signed("add", amount))
  end
  options.check("flow.time.add", amount, units)
  for unit, count in pairs(amount) do
    if count > 1000000000 or count < -1000000000 then
      refuse("add", ("%d %s are too many"):format(count, unit), "Correct the amount.")
    end
  end
  local months = (amount.years or 0) * 12 + (amount.months or 0)
  local days = (amount.weeks or 0) * 7 + (amount.days or 0)
  if months ~= 0 or days ~= 0 then
    if math.abs(months) > 120000 or math.abs(days) > 3660000 then
      refuse("add", "the amount is more than 10,000 years", "Correct the amount.")
    end
    moment = on_calendar("add", moment, months, days, zone_of("add", zone))
  end
  local seconds = ((amount.hours or 0) * 60 + (amount.minutes or 0)) * 60 + (amount.seconds or 0)
  return text_of("add", moment + seconds * 1000)
end

local lengths = { ms = 1, s = 1000, m = 60000, h = 3600000, d = day, w = 7 * day }

--- From the second moment to the first: in seconds, or in another unit of durations.
function time.diff(later, earlier, unit)
  options.kind("flow.time.diff", "unit", unit, { "string", "nil" })
  local length = lengths[unit or "s"]
  if not length then
    refuse("diff", ("`%s` is no unit"):format(unit), "Write \"ms\", \"s\", \"m\", \"h\", \"d\" or \"w\".")
  end
  local apart = moment_of("diff", "later", later) - moment_of("diff", "earlier", earlier)
  return apart % length == 0 and apart // length or apart / length
end

local function day_number(name, what, value, zone)
  local shown = local_of(name, moment_of(name, what, value, zone), zone)
  return shown // day
end

--- How many midnights of a zone lie between two moments.
function time.days_between(from, to, zone)
  local here = zone_of("days_between", zone)
  if zone == nil then
    -- Without a zone a date by itself is none.
    moment_of("days_between", "from", from)
    moment_of("days_between", "to", to)
  end
  return day_number("days_between", "to", to, here) - day_number("days_between", "from", from, here)
end

function time.is_before(a, b) return moment_of("is_before", "a", a) < moment_of("is_before", "b", b) end

function time.is_after(a, b) return moment_of("is_after", "a", a) > moment_of("is_after", "b", b) end

--- When the day, week (from Monday), month, quarter or year of a zone began.
function time.start_of(value, unit, zone)
  options.kind("flow.time.start_of", "unit", unit, "string")
  local moment = moment_of("start_of", "time", value, zone)
  zone = zone_of("start_of", zone)
  local shown = local_of("start_of", moment, zone)
  local number = shown // day
  local f = calendar.fields(shown // 1000)
  if unit == "week" then number = number - (f.wday + 5) % 7
  elseif unit == "month" then number = calendar.days(f.year, f.month)
  elseif unit == "quarter" then number = calendar.days(f.year, (f.month - 1) // 3 * 3 + 1)
  elseif unit == "year" then number = calendar.days(f.year, 1)
  elseif unit ~= "day" then
    refuse("start_of", ("`%s` is no unit"):format(unit),
           "Write \"day\", \"week\", \"month\", \"quarter\" or \"year\".")
  end
  return text_of("start_of", moment_at("start_of", number * day, zone))
end

--- The days that are holidays, by their number.
local function holidays_of(name, holidays)
  options.kind("flow.time." .. name, "holidays", holidays, { "table", "nil" })
  local days = {}
  for _, date in ipairs(holidays or {}) do
    if type(date) ~= "string" or not date:find("^%d%d%d%d%-%d%d%-%d%d$") then
      refuse(name, "the holidays are not all dates", "Write a list such as { \"2026-12-25\", \"2026-12-26\" }.")
    end
    days[reading.moment("flow.time." .. name, date, "UTC") // day] = true
  end
  return days
end

local function works(number, holidays) return (number + 3) % 7 < 5 and not holidays[number] end

--- Whether it is a day from Monday to Friday in a zone, and none of the holidays ("2026-12-25").
function time.is_business_day(value, zone, holidays)
  local moment = moment_of("is_business_day", "time", value, zone)
  local shown = local_of("is_business_day", moment, zone_of("is_business_day", zone))
  return works(shown // day, holidays_of("is_business_day", holidays))
end

--- The same time of day, n business days later; with 0, on the next one unless it is one already.
function time.add_business_days(value, n, zone, holidays)
  options.kind("flow.time.add_business_days", "n", n, "integer")
  if n > 10000 or n < -10000 then
    refuse("add_business_days", "more than 10,000 days are not possible", "Correct the number.")
  end
  local moment = moment_of("add_business_days", "time", value, zone)
  zone = zone_of("add_business_days", zone)
  local shown = local_of("add_business_days", moment, zone)
  local free, number, left = holidays_of("add_business_days", holidays), shown // day, math.abs(n)
  local step = n < 0 and -1 or 1
  if n == 0 then
    while not works(number, free) do number = number + 1 end
  end
  while left > 0 do
    number = number + step
    if works(number, free) then left = left - 1 end
  end
  return text_of("add_business_days", moment_at("add_business_days", number * day + shown % day, zone))
end

--- Seconds since 1970.
function time.epoch(value)
  local moment = moment_of("epoch", "time", value)
  return moment % 1000 == 0 and moment // 1000 or moment / 1000
end

--- The moment that is some seconds after 1970 began.
function time.from_epoch(seconds)
  options.kind("flow.time.from_epoch", "seconds", seconds, "number")
  -- What is no number fails this too.
  if not (math.abs(seconds) < 1e15) then
    refuse("from_epoch", "the seconds are too many, or no real number", "Milliseconds are divided by 1000 first.")
  end
  return text_of("from_epoch", math.floor(seconds * 1000 + 0.5))
end

--- The seconds of a duration such as "1h30m".
function time.seconds(duration)
  local milliseconds = options.duration("flow.time.seconds", "duration", duration)
  return milliseconds % 1000 == 0 and milliseconds // 1000 or milliseconds / 1000
end

return host.load("sealed")("flow.time", time)
