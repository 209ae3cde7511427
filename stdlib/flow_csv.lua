-- flow.csv: tables as spreadsheets and databases exchange them (RFC 4180)
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local csv = {}

local function wrong(line, what, hint)
  raise { code = "PG1073", kind = "validation", line_number = line,
          message = ("flow.csv.decode: line %d: %s."):format(line, what), hint = hint }
end

local function separator_of(verb, given)
  local separator = given.separator or ","
  if #separator ~= 1 or separator:find("[%w\"\r\n]") then
    raise { code = "PG1011", kind = "script", name = "separator",
            message = verb .. ": `separator` is one character that is no letter, digit, quotation mark or line end.",
            hint = "Write \",\", \";\", \"|\" or \"\\t\"." }
  end
  return separator
end

--- A cell in quotation marks: its text, where it ends, and how many lines it goes over.
local function quoted(text, at, line)
  local parts, from = {}, at + 1
  while true do
    local mark = text:find("\"", from, true)
    if not mark then
      wrong(line, "a quotation mark is opened here and never closed",
            "Close it; a quotation mark within a cell is written twice.")
    end
    parts[#parts + 1] = text:sub(from, mark - 1)
    if text:byte(mark + 1) ~= 34 then
      local cell = table.concat(parts)
      local _, lines = cell:gsub("\n", "")
      return cell, mark + 1, lines
    end
    parts[#parts + 1] = "\""
    from = mark + 2
  end
end

--- One line of cells: the cells, where the next begins, and its line's number.
local function record(text, at, line, separator, ends)
  local cells, start = {}, line
  while true do
    local cell, lines
    if text:byte(at) == 34 then
      cell, at, lines = quoted(text, at, line)
      line = line + lines
    else
      local stop = text:find(ends, at) or #text + 1
      if text:byte(stop) == 34 then
        wrong(line, "a quotation mark stands in the middle of a cell",
              "Put the whole cell into quotation marks, and write the one within twice.")
      end
      cell, at = text:sub(at, stop - 1), stop
    end
    cells[#cells + 1] = cell
    local mark = text:sub(at, at)
    at = at + 1
    if mark ~= separator then
      if mark ~= "" and mark ~= "\r" and mark ~= "\n" then
        wrong(line, "text stands after a closing quotation mark",
              ("Only `%s` or the line's end may follow it; is the separator another one?"):format(separator))
      end
      if mark == "\r" and text:byte(at) == 10 then at = at + 1 end
      return cells, at, line + 1, start
    end
  end
end

--- The rows under a header, each a table by the names of its columns.
local function named(records, lines)
  local rows, header, seen = host.array {}, records[1] or {}, {}
  for _, name in ipairs(header) do
    if seen[name] then
      wrong(lines[1], ("the column \"%s\" is there twice"):format(name),
            "Rename one, or read lists of cells with { header = false }.")
    end
    seen[name] = true
  end
  for number = 2, #records do
    local cells, row = records[number], {}
    if #cells ~= #header then
      wrong(lines[number], ("there are %d cells, and %d in the header"):format(#cells, #header),
            "Correct the line; a cell with the separator in it needs quotation marks.")
    end
    for column, name in ipairs(header) do row[name] = cells[column] end
    rows[#rows + 1] = row
  end
  return rows
end

--- The rows of a text; every cell is text, and empty lines are left out.
function csv.decode(text, given)
  options.kind("flow.csv.decode", "text", text, "string")
  given = options.check("flow.csv.decode", given, { header = "boolean", separator = "string" })
  local separator = separator_of("flow.csv.decode", given)
  local ends = "[%" .. separator .. "\"\r\n]"
  local records, lines = host.array {}, {}
  local at, line = text:sub(1, 3) == "\u{FEFF}" and 4 or 1, 1
  while at <= #text do
    local begins, cells, start = at, nil, nil
    cells, at, line, start = record(text, at, line, separator, ends)
    if #cells > 1 or cells[1] ~= "" or text:byte(begins) == 34 then
      records[#records + 1] = host.array(cells)
      lines[#lines + 1] = start
    end
  end
  if given.header == false then return records end
  return named(records, lines)
end

local function unfit(row, column, what, hint)
  local place = column and ("row %d, column %s"):format(row, column) or ("row %d"):format(row)
  raise { code = "PG1074", kind = "validation", message = ("flow.csv.encode: %s %s."):format(place, what), hint = hint }
end

local function cell_text(value, row, column)
  if value == nil or value == host.null then return "" end
  local kind = type(value)
  if kind == "number" then
    if value ~= value or value == math.huge or value == -math.huge then
      unfit(row, column, "is no real number", "Check what it is computed from.")
    end
    return host.json_encode(value)
  end
  if kind == "string" then return value end
  if kind == "boolean" then return tostring(value) end
  unfit(row, column, "is " .. options.article(kind), "A cell is text, a number, true, false or nothing.")
end

--- The names of all fields, in the order of their bytes.
local function all_names(rows)
  local names, seen = {}, {}
  for number, row in ipairs(rows) do
    if type(row) ~= "table" then unfit(number, nil, "is " .. options.article(type(row)), "A row is a table.") end
    for name in pairs(row) do
      if type(name) ~= "string" then
        unfit(number, nil, "is a list, and an earlier one has named fields", "Give all rows the same shape.")
      end
      if not seen[name] then names[#names + 1], seen[name] = name, true end
    end
  end
  table.sort(names)
  return names
end

local function is_list(row) return type(row) == "table" and (host.is_array(row) or rawlen(row) > 0) end

--- The text of rows: tables by column (their names are the first line), or lists of cells.
function csv.encode(rows, given)
  options.kind("flow.csv.encode", "rows", rows, "table")
  given = options.check("flow.csv.encode", given, { columns = "table", header = "boolean", separator = "string" })
  local separator = separator_of("flow.csv.encode", given)
  local quote = "[%" .. separator .. "\"\r\n]"
  local plain = is_list(rows[1])
  local columns = given.columns or (not plain and all_names(rows)) or {}
  local lines = {}
  local function add(cells)
    for index, cell in ipairs(cells) do
      if cell:find(quote) then cells[index] = "\"" .. cell:gsub("\"", "\"\"") .. "\"" end
    end
    -- A line with nothing in it would be no row.
    lines[#lines + 1] = (#cells == 1 and cells[1] == "") and "\"\"" or table.concat(cells, separator)
  end
  if #columns > 0 and given.header ~= false then
    local names = {}
    for index, name in ipairs(columns) do
      options.kind("flow.csv.encode", "columns", name, "string")
      names[index] = name
    end
    add(names)
  end
  for number, row in ipairs(rows) do
    if type(row) ~= "table" or is_list(row) ~= plain then
      unfit(number, nil, type(row) == "table" and "has another shape than the first" or
            "is " .. options.article(type(row)), "Give all rows the same shape: tables by column, or lists of cells.")
    end
    local cells = {}
    for index = 1, plain and #row or #columns do
      local key = plain and index or columns[index]
      cells[index] = cell_text(row[key], number, key)
    end
    add(cells)
  end
  lines[#lines + 1] = ""
  return table.concat(lines, "\r\n")
end

return host.load("sealed")("flow.csv", csv)
