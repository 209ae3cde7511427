-- The first chunk of every state: fills the scripts' environment. What a script does not use is never loaded.
local host, env = ...

host.load("errors")

-- Each name is loaded from the piece of the same name when a script first uses it.
local pieces = {
  ask = true, call = true, checkpoint = true, config = true, each = true, emit = true, flow = true, http = true,
  log = true, os = true, parallel = true, print = true, saga = true, secret = true, sleep = true, try = true,
  wait = true, workflow = true,
}

-- What people reach for out of habit, with the way to do it here.
local absent = {
  io = "a workflow has no files; read and write through http or call",
  debug = "use log.info(text, { … }) to see a value in the run's timeline",
  package = "require \"lib.name\" loads a module of the scripts folder",
  dofile = "require \"lib.name\" loads a module of the scripts folder",
  loadfile = "require \"lib.name\" loads a module of the scripts folder",
  collectgarbage = "memory is managed by the host; the limit is per run",
}

setmetatable(env, {
  __metatable = "environment",
  __index = function(_, name)
    if pieces[name] then
      local piece = host.load(name)
      rawset(env, name, piece)
      return piece
    end
    local raise = host.load("errors")
    if absent[name] then
      raise { code = "PG1002", kind = "script", name = name,
              message = ("`%s` does not exist in workflow scripts."):format(name),
              hint = absent[name]:sub(1, 1):upper() .. absent[name]:sub(2) .. "." }
    end
    raise(host.unknown_name(tostring(name)))
  end,
  __newindex = function(_, name)
    local raise = host.load("errors")
    raise { code = "PG1004", kind = "script", name = tostring(name),
            message = ("`%s` is assigned but is no local variable."):format(tostring(name)),
            hint = ("Write `local %s = …`; scripts have no global variables."):format(tostring(name)) }
  end,
})
