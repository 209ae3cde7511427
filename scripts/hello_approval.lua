-- scripts/hello_approval.lua
return workflow {
  name  = "Hello approval",
  about = "Makes a quote for a customer, and sends it once a manager has approved it.",
  on    = { event = "demo.requested" },
  input = { customer = "string", amount = "number", discount = "number", reason = "string?" },

  run = function(request)
    local customer = http.get("Look up customer", { url = "https://crm.example/customers/" .. request.customer })
    local quote = http.post("Create quote", {
      url  = "https://quotes.example/quotes",
      json = { customer = request.customer, amount = request.amount, discount = request.discount },
    })

    flow.status("Waiting for a manager")
    local decision = ask.approval("Manager approval", {
      to      = { "group:managers" },
      timeout = "48h",
      show    = {
        { "Customer", customer.json.name },
        { "Amount",   request.amount,   as = "money", currency = "EUR" },
        { "Discount", request.discount, as = "percent" },
        { "Reason",   request.reason or "none given" },
      },
      choices = { "approve", "reject" },
    })

    if decision.outcome ~= "approve" then
      flow.note("The quote was not approved", { outcome = decision.outcome, comment = decision.comment })
      return { outcome = decision.outcome, quote = quote.json.id }
    end

    http.post("Send quote", { url = "https://quotes.example/quotes/" .. quote.json.id .. "/send",
                              json = { to = customer.json.owner } })
    emit("quote.sent", { quote = quote.json.id, customer = request.customer })
    log.info("Quote sent to " .. customer.json.owner)
    return { outcome = "sent", quote = quote.json.id, approved_by = decision.by }
  end,
}
