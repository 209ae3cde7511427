-- Reads local dates and times for flow.time: as RFC 3339 without its offset, or by a pattern
local host = ...
local raise = host.load("errors")
local calendar = host.load("calendar")
local dates = {}

--- A text as a message may hold it.
local function quoted(text)
  local count = utf8.len(text)
  if not count then return "text that is no UTF-8" end
  return "\"" .. (count > 60 and text:sub(1, utf8.offset(text, 61) - 1) .. "…" or text) .. "\""
end

local function unreadable(verb, text, why)
  raise { code = "PG1013", kind = "validation", message = ("%s: %s is no time%s."):format(verb, quoted(text), why),
          hint = "Write RFC 3339, \"2026-09-07T09:00:00Z\", or a local time with its zone: "
            .. "flow.time.parse(\"2026-09-07 09:00\", { zone = \"Europe/Paris\" })." }
end

--- The moment at which the clocks of a zone show some fields; what is not there is the beginning.
local function moment(verb, text, f, zone)
  local year, month = tonumber(f.year), tonumber(f.month or 1)
  local date, hour = tonumber(f.day or 1), tonumber(f.hour or 0)
  local minute, second = tonumber(f.minute or 0), tonumber(f.second or 0)
  if not year then unreadable(verb, text, ": it has no year") end
  if month < 1 or month > 12 then unreadable(verb, text, ": there is no such month") end
  if date < 1 or date > calendar.days(year, month + 1) - calendar.days(year, month) then
    unreadable(verb, text, ": the month has no such day")
  end
  if hour > 23 or minute > 59 or second > 59 then unreadable(verb, text, ": a day has no such hour") end
  if not zone then
    raise { code = "PG1075", kind = "validation",
            message = ("%s: %s is a local time, and there is no zone."):format(verb, quoted(text)),
            hint = "Give a zone, as in flow.time.parse(text, { zone = \"Europe/Paris\" }), or \"UTC\"." }
  end
  local days = calendar.days(year, month) + date - 1
  local seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
  -- Digits after the millisecond are dropped.
  local milliseconds = tonumber(((f.fraction or "") .. "000"):sub(1, 3))
  return host.zone_time(verb, seconds * 1000 + milliseconds, zone)
end

--- The moment that RFC 3339 text is, in milliseconds; otherwise nil.
function dates.exact(text) return #text <= 64 and utf8.len(text) and host.time(text) or nil end

--- The moment that a local date or time is in a zone: 2026-09-07, 2026-09-07 09:00, 2026-09-07T09:00:30.5
function dates.moment(verb, text, zone)
  local f = {}
  local rest
  f.year, f.month, f.day, rest = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$")
  if not f.year then unreadable(verb, text, "") end
  if rest ~= "" then
    f.hour, f.minute, rest = rest:match("^[T ](%d%d):(%d%d)(.*)$")
    if not f.hour then unreadable(verb, text, "") end
  end
  if rest ~= "" then
    f.second, rest = rest:match("^:(%d%d)(.*)$")
    if not f.second then unreadable(verb, text, "") end
  end
  if rest ~= "" then
    f.fraction = rest:match("^%.(%d+)$")
    if not f.fraction then unreadable(verb, text, "") end
  end
  return moment(verb, text, f, zone)
end

local months = {
  "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
  "december",
}

--- The number of an English month's name, or of its first three letters, at the beginning of a text; and its length.
local function month_named(text)
  local name = text:match("^%a+")
  for number, month in ipairs(months) do
    if name and (name:lower() == month or name:lower() == month:sub(1, 3)) then return number, #name end
  end
  return nil
end

-- The fields that conversions read, and the digits that they may have.
local conversions = {
  Y = { "year", 4, 4 }, m = { "month", 1, 2 }, d = { "day", 1, 2 }, H = { "hour", 1, 2 }, I = { "hour12", 1, 2 },
  M = { "minute", 1, 2 }, S = { "second", 1, 2 }, y = { "short_year", 2, 2 },
}

--- Reads one conversion at the beginning of a text: how many bytes it took, or nil.
local function read(conversion, text, f)
  if conversion == "b" or conversion == "B" then
    local number, length = month_named(text)
    f.month = number
    return length
  end
  if conversion == "p" then
    f.half = text:match("^[AaPp][Mm]")
    return f.half and 2
  end
  local field, least, most = table.unpack(conversions[conversion])
  local digits = text:match("^%d+")
  if not digits or #digits < least then return nil end
  f[field] = digits:sub(1, most)
  return #f[field]
end

--- The year of two digits, and the hour of a half day.
local function completed(verb, text, f)
  if f.short_year then f.year = tonumber(f.short_year) + (tonumber(f.short_year) < 69 and 2000 or 1900) end
  if f.hour12 then
    local hour = tonumber(f.hour12)
    if hour < 1 or hour > 12 then unreadable(verb, text, ": half a day has no such hour") end
    f.hour = hour % 12 + ((f.half or "a"):lower():sub(1, 1) == "p" and 12 or 0)
  end
  return f
end

--- The moment that a text is in a zone, by a pattern of strftime's conversions: "%d.%m.%Y %H:%M".
function dates.by_pattern(verb, text, pattern, zone)
  local f, at, place = {}, 1, 1
  while place <= #pattern do
    local literal, length = pattern:sub(place, place), 1
    local conversion = literal == "%" and pattern:sub(place + 1, place + 1)
    if conversion and conversion ~= "%" then
      if conversion == "" or not (conversions[conversion] or ("bBp"):find(conversion, 1, true)) then
        raise { code = "PG1011", kind = "script",
                message = ("%s: %s has `%%%s`, which can't be read."):format(verb, quoted(pattern), conversion),
                hint = "It may have %Y %y %m %b %B %d %H %I %p %M %S, and %% for a percent sign." }
      end
      length = read(conversion, text:sub(at), f)
      place = place + 2
    else
      place = place + (conversion and 2 or 1)
      if text:sub(at, at) ~= literal then length = nil end
    end
    if not length then unreadable(verb, text, " by the pattern " .. quoted(pattern)) end
    at = at + length
  end
  if at <= #text then unreadable(verb, text, " by the pattern " .. quoted(pattern)) end
  return moment(verb, text, completed(verb, text, f), zone)
end

return dates
