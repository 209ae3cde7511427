-- workflow{ … } as a run takes it: its definition was checked when the script was loaded, and only its functions count
return function(given)
  for _, name in ipairs { "on_cancel", "on_failure" } do
    local hook = given[name]
    if hook then given[name] = function(argument) return hook(argument.input, argument.error) end end
  end
  return given
end
