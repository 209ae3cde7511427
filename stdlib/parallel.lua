-- parallel(label, { name = function() … end, … }, { on_error = "wait"|"stop"|"continue", at_once })
--   -> { name = { ok, value | error }, … }
local host = ...
local options = host.load("options")
local raise = host.load("errors")
local branches = host.load("branches")

local known = { on_error = "string", at_once = "integer" }

return function(label, functions, given)
  options.label("parallel", label)
  options.kind("parallel", "the branches", functions, "table")
  given = options.check("parallel", given, known)
  local names = {}
  for name, fn in pairs(functions) do
    if type(name) ~= "string" and math.type(name) ~= "integer" then
      raise { code = "PG1011", kind = "script", message = "parallel: a branch's name is neither text nor a number.",
              hint = "Write parallel(\"Label\", { invoice = function() … end, … })." }
    end
    options.kind("parallel", tostring(name), fn, "function")
    names[#names + 1] = name
  end
  if #names > branches.most then
    raise { code = "PG1011", kind = "script",
            message = ("parallel: %d branches; %d are the most."):format(#names, branches.most),
            hint = "For a list of things use each(\"Label\", list, function(item) … end)." }
  end
  local on_error, at_once = branches.read("parallel", given, branches.most)
  local results = {}
  local failure = branches.run(label, #names, on_error, at_once,
    function(index) return tostring(names[index]), functions[names[index]] end,
    function(index, ok, value)
      results[names[index]] = ok and { ok = true, value = value } or { ok = false, error = value }
    end)
  if failure then raise(failure) end
  return results
end
