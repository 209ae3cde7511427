-- saga(label, function(undo) … undo(label, verb, …) … end): what was registered is undone, newest first, when the
-- function fails or the run is cancelled
local host = ...
local options = host.load("options")
local raise = host.load("errors")

local function registrar(undos, label)
  return function(name, verb, ...)
    options.label("undo", name)
    local meta = type(verb) ~= "function" and getmetatable(verb)
    if type(verb) ~= "function" and not (type(meta) == "table" and meta.__call) then
      raise { code = "PG1091", kind = "script",
              message = ("undo(\"%s\", …) needs a verb as its second argument, and got %s."):format(
                name, options.article(type(verb))),
              hint = "Write undo(\"Refund card\", http.post, { url = … }): the verb alone, then its options." }
    end
    if undos.closed then
      raise { code = "PG1091", kind = "script",
              message = ("undo(\"%s\", …) is called after \"%s\" has ended."):format(name, label),
              hint = "Call it inside the function that saga runs." }
    end
    undos[#undos + 1] = { label = name, verb = verb, arguments = table.pack(...) }
  end
end

local function names(undos, from, to, step)
  local list = {}
  for index = from, to, step do list[#list + 1] = undos[index].label end
  return host.array(list)
end

-- Undoes everything, newest first. Where an undo fails after its retries, the run stops there for a person: what was
-- done before it must not be undone while it stands.
local function undo_all(undos, cause)
  host.shield(true)
  for index = #undos, 1, -1 do
    local undo = undos[index]
    local ok, err = pcall(undo.verb, undo.label, table.unpack(undo.arguments, 1, undo.arguments.n))
    if not ok then
      if type(err) ~= "table" then err = { kind = "script", message = tostring(err) } end
      host.await_step("undo", undo.label, {
        label = undo.label, error = { message = tostring(err.message), code = err.code },
        undone = names(undos, #undos, index + 1, -1), not_undone = names(undos, index, 1, -1),
        cause = type(cause) == "table" and tostring(cause.message) or tostring(cause),
      })
    end
  end
  host.shield(false)
  return names(undos, #undos, 1, -1)
end

return function(label, fn)
  options.label("saga", label)
  options.kind("saga", "the second argument", fn, "function")
  local undos = {}
  host.enter(label)
  local result = table.pack(pcall(fn, registrar(undos, label)))
  undos.closed = true
  if result[1] then
    host.leave()
    return table.unpack(result, 2, result.n)
  end
  local err = result[2]
  local undone = undo_all(undos, err)
  host.leave()
  if host.is_cancellation(err) then error(err, 0) end
  if type(err) ~= "table" then err = { kind = "script", message = tostring(err), retryable = false } end
  err.undone = undone
  raise(err)
end
