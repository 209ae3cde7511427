-- Closes a table of the API: a wrong name in it is an error with the nearest one
local host = ...
local raise = host.load("errors")

--- `path` is what scripts call the table; `pieces` maps names to the pieces that they are loaded from when first used.
return function(path, names, pieces)
  pieces = pieces or {}

  local function unknown(name)
    local known = {}
    for one in pairs(names) do known[#known + 1] = one end
    for one in pairs(pieces) do
      if rawget(names, one) == nil then known[#known + 1] = one end
    end
    table.sort(known)
    local near = host.nearest(name, known)
    raise { code = "PG1003", kind = "script", name = name, message = ("`%s.%s` does not exist."):format(path, name),
            hint = near and ("Did you mean `%s.%s`?"):format(path, near)
              or ("There is: %s."):format(table.concat(known, ", ")) }
  end

  return setmetatable(names, {
    __metatable = path,
    __newindex = function()
      raise { code = "PG1004", kind = "script", message = ("`%s` can't be changed."):format(path),
              hint = "Use a local variable." }
    end,
    __index = function(_, name)
      if not pieces[name] then unknown(tostring(name)) end
      local piece = host.load(pieces[name])
      rawset(names, name, piece)
      return piece
    end,
  })
end
