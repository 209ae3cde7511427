-- The calendar of os: days, the fields of a time, and the conversions of strftime in the C locale; all of it in UTC
local calendar = {}

local weekdays = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local months = {
  "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
  "December",
}

--- The days from 1970-01-01 to the first day of a month. The month may be any number; it is carried over to the year.
function calendar.days(year, month)
  -- A year is counted from March on, so that the leap day is its last.
  local since_march = month - 3
  year = year + since_march // 12
  since_march = since_march % 12
  return 365 * year + year // 4 - year // 100 + year // 400 + (153 * since_march + 2) // 5 - 719468
end

--- The fields of a time in seconds, as `os.date("*t")` gives them.
function calendar.fields(time)
  local days, second = time // 86400, time % 86400
  local era, day = (days + 719468) // 146097, (days + 719468) % 146097
  local year = (day - day // 1460 + day // 36524 - day // 146096) // 365
  day = day - (365 * year + year // 4 - year // 100)
  local since_march = (5 * day + 2) // 153
  local month = (since_march + 2) % 12 + 1
  year = year + 400 * era + (month <= 2 and 1 or 0)
  return {
    year = year, month = month, day = day - (153 * since_march + 2) // 5 + 1,
    hour = second // 3600, min = second // 60 % 60, sec = second % 60,
    yday = days - calendar.days(year, 1) + 1, wday = (days + 4) % 7 + 1, isdst = false,
  }
end

--- The year and the number of the ISO week.
local function iso_week(f)
  local monday = (f.wday + 5) % 7
  local week = (f.yday - monday + 9) // 7
  local function weeks(year)
    -- A year has 53 weeks when it ends on a Thursday, or on a Friday in a leap year.
    local first = (calendar.days(year, 1) + 3) % 7
    local leap = calendar.days(year + 1, 1) - calendar.days(year, 1) == 366
    return (first == 3 or (leap and first == 2)) and 53 or 52
  end
  if week < 1 then return f.year - 1, weeks(f.year - 1) end
  if week > weeks(f.year) then return f.year + 1, 1 end
  return f.year, week
end

local function two(number) return ("%02d"):format(number) end
local function hour12(f) return (f.hour + 11) % 12 + 1 end

local conversions = {
  a = function(f) return weekdays[f.wday]:sub(1, 3) end,
  A = function(f) return weekdays[f.wday] end,
  b = function(f) return months[f.month]:sub(1, 3) end,
  B = function(f) return months[f.month] end,
  C = function(f) return two(f.year // 100) end,
  d = function(f) return two(f.day) end,
  e = function(f) return ("%2d"):format(f.day) end,
  g = function(f) return two(iso_week(f) % 100) end,
  G = function(f) return ("%d"):format((iso_week(f))) end,
  H = function(f) return two(f.hour) end,
  I = function(f) return two(hour12(f)) end,
  j = function(f) return ("%03d"):format(f.yday) end,
  m = function(f) return two(f.month) end,
  M = function(f) return two(f.min) end,
  n = function() return "\n" end,
  p = function(f) return f.hour < 12 and "AM" or "PM" end,
  S = function(f) return two(f.sec) end,
  t = function() return "\t" end,
  u = function(f) return ("%d"):format((f.wday + 5) % 7 + 1) end,
  U = function(f) return two((f.yday + 7 - f.wday) // 7) end,
  V = function(f) return two(select(2, iso_week(f))) end,
  w = function(f) return ("%d"):format(f.wday - 1) end,
  W = function(f) return two((f.yday + 6 - (f.wday + 5) % 7) // 7) end,
  y = function(f) return two(f.year % 100) end,
  Y = function(f) return ("%d"):format(f.year) end,
  z = function(f) return f.offset or "+0000" end,
  Z = function(_, zone) return zone end,
  ["%"] = function() return "%" end,
}

local compound = {
  c = "%a %b %e %H:%M:%S %Y", D = "%m/%d/%y", F = "%Y-%m-%d", h = "%b", r = "%I:%M:%S %p", R = "%H:%M",
  T = "%H:%M:%S", x = "%m/%d/%y", X = "%H:%M:%S",
}

-- What may follow the modifiers %E and %O, which change nothing in the C locale.
local modified = { E = "cCxXyY", O = "deHImMSuUVwWy" }

--- The text of a format; otherwise nil and the rest of the format from the wrong conversion on.
function calendar.text(format, fields, zone)
  local parts, at = {}, 1
  while at <= #format do
    local percent = format:find("%", at, true) or #format + 1
    parts[#parts + 1] = format:sub(at, percent - 1)
    if percent > #format then break end
    local name, length = format:sub(percent + 1, percent + 1), 2
    if modified[name] then
      local base = format:sub(percent + 2, percent + 2)
      if base == "" or not modified[name]:find(base, 1, true) then return nil, format:sub(percent + 1) end
      name, length = base, 3
    end
    if compound[name] then
      parts[#parts + 1] = calendar.text(compound[name], fields, zone)
    elseif conversions[name] then
      parts[#parts + 1] = conversions[name](fields, zone)
    else
      return nil, format:sub(percent + 1)
    end
    at = percent + length
  end
  return table.concat(parts)
end

return calendar
