-- http.pages(label, { … }): the pages of a list, one after the other; each is a step of its own
local host = ...
local options = host.load("options")
local raise = host.load("errors")

local default_most = 1000

local function fail(code, label, message, hint)
  raise { code = code, kind = "limit", message = ("http.pages \"%s\": %s"):format(label, message), hint = hint,
          retryable = false }
end

-- The origin and the path of an address.
local function parts(url) return url:match("^(%a+://[^/?#]+)([^?#]*)") end

--- The address that a link leads to, seen from the page that has it.
local function resolved(link, from)
  local origin, path = parts(from)
  if link:find("^%a+://") then return link end
  if link:find("^//") then return origin:match("^%a+:") .. link end
  if link:find("^/") then return origin .. link end
  if link:find("^%?") then return origin .. path .. link end
  return origin .. path:match("^(.*/)[^/]*$") .. link
end

--- The target of rel="next" in a Link header (RFC 8288).
local function next_link(header)
  if not header then return nil end
  for target, parameters in header:gmatch("<([^>]*)>([^<]*)") do
    for rel in parameters:gmatch(";%s*[Rr][Ee][Ll]%s*=%s*\"?([^\";,]*)") do
      for word in rel:gmatch("%S+") do
        if word:lower() == "next" then return target end
      end
    end
  end
end

--- The value under a path such as "paging.next.after".
local function under(value, path)
  for name in path:gmatch("[^.]+") do
    if type(value) ~= "table" then return nil end
    value = value[name]
  end
  if value ~= host.null and value ~= "" and value ~= false then return value end
end

--- The list of a page: the page itself, or the one list in it.
local function list_of(page, items)
  if type(page) ~= "table" then return {} end
  if items then return under(page, items) or {} end
  if #page > 0 then return page end
  for _, value in pairs(page) do
    if type(value) == "table" and #value > 0 then return value end
  end
  return {}
end

local function read(label, given)
  local page = given.page
  if type(page) == "table" then
    options.check("http.pages: page", page, { param = "string", first = "integer" })
  end
  local cursor = given.cursor
  if type(cursor) == "table" then
    options.check("http.pages: cursor", cursor, { param = "string", field = "string" })
  end
  if page and cursor then
    raise { code = "PG1011", kind = "script", message = "http.pages takes one of `page` and `cursor`.",
            hint = "Keep the one that the receiver's documentation names." }
  end
  local most = given.max_pages or default_most
  if most < 1 then
    raise { code = "PG1011", kind = "script", name = "max_pages",
            message = "http.pages: `max_pages` must be 1 or more.",
            hint = ("Without it, %d pages are the most."):format(default_most) }
  end
  return type(page) == "table" and page or page and {}, type(cursor) == "table" and cursor or {}, most
end

--- Gives the iterator. `get(label, call)` sends one request, `given` is what the author wrote, `url` where it begins.
return function(label, given, url, get)
  local page, cursor, most = read(label, given)
  local count, seen, call = 0, {}, {}
  for name, value in pairs(given) do call[name] = value end
  call.page, call.cursor, call.max_pages, call.items = nil, nil, nil, nil
  call.url = url
  local number = page and (page.first or 1)

  local function with(name, value)
    local query = {}
    for known, one in pairs(call.query or {}) do query[known] = one end
    query[name] = value
    call.query = query
  end
  if page then with(page.param or "page", number) end

  -- What the next page is asked with; false at the end.
  local function follow(reply)
    if page then
      if #list_of(reply.json, given.items) == 0 then return false end
      number = number + 1
      with(page.param or "page", number)
      return tostring(number)
    end
    local link = next_link(reply.headers.link)
    if link and not given.cursor then
      local from, to = call.url, resolved(link, call.url)
      if parts(to) ~= parts(from) then
        fail("PG2015", label, ("the next page is on another host: %s"):format(to),
             "Call that host by an http.get of its own, with the credentials that it needs.")
      end
      call.url, call.query = to, nil
      return to
    end
    local value = under(reply.json, cursor.field or "next_cursor")
    if value == nil then return false end
    with(cursor.param or "cursor", value)
    return tostring(value)
  end

  return function()
    if not call then return nil end
    if count == most then
      fail("PG2016", label, ("there are more than %d pages."):format(most),
           "Set max_pages higher, or ask for larger pages.")
    end
    count = count + 1
    local reply = get(label, call)
    local mark = follow(reply)
    if mark and seen[mark] then
      fail("PG2016", label, "the receiver leads in a circle: a page names one that was read before as the next.",
           "Look at the replies in the run's timeline; `cursor = { field = … }` names the field to follow.")
    end
    if mark then seen[mark] = true else call = nil end
    if page and not mark and count > 1 then return nil end
    return reply.json == nil and reply.body or reply.json, reply
  end
end
