-- ask.approval(label, { to, not_by, show, choices, comment, comment_required_on, effect, form, timeout, remind,
--                       hours })
-- ask.form(label, { to, not_by, show, form, timeout, remind, hours })
--   -> { outcome, by, at, comment, form, url }
local host = ...
local options = host.load("options")
local question = host.load("question")
local ask = {}

local function knowing(more)
  for name, kind in pairs(question.known) do more[name] = kind end
  return more
end

local approval_known = knowing { show = "table", choices = "table", comment = "string",
                                 comment_required_on = { "table", "string" }, effect = "table", form = "table" }
local form_known = knowing { show = "table", form = "table" }

local function choices_of(verb, given)
  local choices = question.texts(verb, "choices", given or { "approve", "reject" })
  if #choices == 0 then
    question.refuse("choices", verb .. ": `choices` is empty.",
                    "Give at least one outcome, for example { \"approve\", \"reject\" }.")
  end
  local seen = { timeout = "what a question ends with that nobody answered" }
  for _, choice in ipairs(choices) do
    local reason = seen[choice:lower()]
    if reason then
      question.refuse("choices", ("%s: `choices` can't have \"%s\": it is %s."):format(verb, choice, reason),
                      "Give each outcome a name of its own; capitals make no difference.")
    end
    seen[choice:lower()] = "there already"
  end
  return choices
end

local function required(verb, given, choices)
  if given.comment == "required" then return choices end
  if given.comment ~= nil and given.comment ~= "optional" then
    question.refuse("comment", ("%s: `comment` = \"%s\" is not known."):format(verb, given.comment),
                    "Write \"optional\" or \"required\", or name the choices in `comment_required_on`.")
  end
  return question.among(verb, "comment_required_on", given.comment_required_on, choices)
end

-- What follows from each choice, by the choice.
local function effects(verb, given, choices)
  local effect, names = {}, {}
  for name, text in pairs(given or {}) do
    if type(text) ~= "string" then
      question.refuse("effect", ("%s: `effect.%s` is %s; it should be text."):format(
        verb, tostring(name), options.article(type(text))), "Write effect = { approve = \"Unlocks the quote\" }.")
    end
    names[#names + 1] = tostring(name)
  end
  if #names == 0 then return nil end
  question.among(verb, "effect", names, choices)
  for name, text in pairs(given) do effect[question.choice(choices, name)] = text end
  return effect
end

function ask.approval(label, given)
  local verb = "ask.approval"
  options.label(verb, label)
  given = options.check(verb, given, approval_known)
  local choices = choices_of(verb, given.choices)
  return question.ask(verb, label, given, {
    show = question.rows(given.show), choices = choices, comment_required_on = required(verb, given, choices),
    effect = effects(verb, given.effect, choices), form = question.form(verb, given.form, choices),
  })
end

function ask.form(label, given)
  local verb = "ask.form"
  options.label(verb, label)
  given = options.check(verb, given, form_known)
  local choices = host.array { "submit" }
  local form = question.form(verb, options.need(verb, given, "form", "form = { amount = { \"Amount\" } }"), choices)
  if not form then
    question.refuse("form", "ask.form: `form` has no fields.", "Write form = { amount = { \"Amount\" } }.")
  end
  return question.ask(verb, label, given, { show = question.rows(given.show), choices = choices, form = form })
end

return ask
