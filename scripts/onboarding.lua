-- scripts/onboarding.lua
return workflow {
  name  = "Onboarding",
  about = "Sets up a new customer's project; closed_won calls it.",
  input = { company = "string", deal = "string" },

  run = function(customer)
    local project = http.post("Create project", { url = "https://projects.example/projects",
                                                  json = { name = customer.company, deal = customer.deal } })
    return { project_id = project.json.id }
  end,
}
