import Foundation
import HTTPTypes
import Perigee
import PerigeeJournal
@testable import PerigeeServer
import Testing

private let discount = """
    return workflow {
      on = { manual = true },
      run = function(deal)
        local d = ask.approval("Discount", {
          to = "group:desk", not_by = deal.by, timeout = "24h", hours = "Mon-Sun 00:00-24:00 UTC",
          show = { { "ARR", 1234500, as = "money", currency = "EUR" }, { "Since", "2026-11-21T09:00:00Z", as = "date" } },
          form = {
            { name = "counter", "Counter-offer (%)", type = "number", min = 0, max = 40, on = { "counter" } },
            { name = "size", "Size", one_of = { "small", "large" } },
            { name = "note", "Note", type = "text", max = 20, required = false },
            { name = "sure", "Sure?", type = "boolean", default = true },
          },
          choices = { "approve", "reject", "counter" }, comment_required_on = { "reject" },
          effect = { approve = "Unlocks the quote" },
        })
        return { d.outcome, d.form }
      end,
    }
    """

private let sync = """
    return workflow {
      on = { manual = true },
      run = function(account)
        return flow.park("CRM refused the record", { data = account, reason = "no such plan", retryable = false,
          category = "bad data", response = { status = 422 } }) or "discarded"
      end,
    }
    """

/// Deciding by the pages and the API.
struct DecisionTests {
    /// The nonce of a page's form.
    private func nonce(_ page: String) throws -> String {
        String(try #require(page.firstMatch(of: /name="nonce" value="([^"]+)"/)).1).replacing(
            "&#x2B;", with: "+")
    }

    @Test
    func `a form is labelled inputs that need no script, and keeps what was entered where it does not fit`()
        async throws
    {
        try await RunningServer.with(["discount.lua": discount]) { server in
            let (run, id) = try await server.startUntilApproval("discount", input: ["by": "rep@acme.example"])
            let address = "/approvals/\(id)"
            let page = try await server.get(address).text
            for part in [
                "not by rep@acme.example", "<strong>Approve</strong>: Unlocks the quote",
                "2026-11-21 09:00:00 UTC",
                "<label for=\"field-0\">Counter-offer (%) <span class=\"quiet\">(for: counter)</span></label>",
                "<input id=\"field-0\" name=\"form.counter\" type=\"number\" value=\"\" step=\"any\" min=\"0\" max=\"40\">",
                "<select id=\"field-1\" name=\"form.size\" required><option value=\"\" selected>–</option>",
                "maxlength=\"20\"", "<option value=\"true\" selected>Yes</option>",
                "counted in Mon-Sun 00:00-24:00 UTC",
            ] { #expect(page.contains(part), "\(part)") }
            #expect(!page.contains("style=") && !page.contains("<script>"))
            var form = [
                "nonce": try nonce(page), "by": "ana", "outcome": "counter", "form.counter": "99",
                "form.size": "", "form.note": "<b>\r\n&", "form.sure": "false", "comment": "hm",
            ]
            let wrong = try await server.submit(address, form)
            #expect(wrong.status == 422)
            for part in [
                "value=\"99\"", "It should be a number from 0 to 40, and is &quot;99&quot;.",
                "It is missing; one of small, large is needed.", "aria-describedby=\"field-0-fault\"",
                "&lt;b&gt;\r\n&amp;</textarea>", "hm</textarea>", "value=\"ana\"",
                "<option value=\"false\" selected>No</option>",
            ] { #expect(wrong.text.contains(part), "\(part)") }
            #expect(try await server.host.approval(id: id).status == .waiting)
            form["nonce"] = try nonce(wrong.text)
            form["form.counter"] = "15"
            form["form.size"] = "large"
            #expect(try await server.submit(address, form).status == 303)
            let end = try await server.host.waitForEnd(run: run, timeoutMilliseconds: 20_000)
            let filled: JSON = ["counter": 15, "size": "large", "note": "<b>\n&", "sure": false]
            #expect(try end.output.map { try JSON(parsing: $0) } == ["counter", filled])
            let after = try await server.get(address).text
            #expect(
                after.contains("ana chose &quot;counter&quot; for this at")
                    && after.contains("What was filled in"))
            let decision = try await server.get("/v1/approvals/\(id)").json["decision"]
            #expect(decision?["via"] == "page" && decision?["shown"]?.string?.count == 64)
        }
    }

    @Test func `who is excluded is told so, by the page and by the API`() async throws {
        try await RunningServer.with(["discount.lua": discount]) { server in
            let (_, id) = try await server.startUntilApproval("discount", input: ["by": "rep@acme.example"])
            let page = try await server.get("/approvals/\(id)").text
            let form = [
                "nonce": try nonce(page), "by": "REP@acme.example", "outcome": "approve",
                "form.size": "small",
            ]
            let refused = try await server.submit("/approvals/\(id)", form)
            #expect(refused.status == 403 && refused.text.contains("REP@acme.example may not decide this"))
            let body: JSON = ["outcome": "approve", "by": "rep@acme.example", "form": ["size": "small"]]
            let answer = try await server.post("/v1/approvals/\(id):decide", body)
            #expect(answer.status == 403 && answer.json["code"] == "PG4120")
            #expect(try await server.host.approval(id: id).status == .waiting)
        }
    }

    @Test func `the API names every fault of a form, and shows the form that it wants`() async throws {
        try await RunningServer.with(["discount.lua": discount]) { server in
            let (_, id) = try await server.startUntilApproval("discount", input: ["by": "rep"])
            let shown = try await server.get("/v1/approvals?kind=approval").json["items"]?.array?.first
            #expect(shown?["kind"] == "approval" && shown?["not_by"] == ["rep"] && shown?["data"] == nil)
            #expect(shown?["form"]?.array?.map { $0["name"] } == ["counter", "size", "note", "sure"])
            #expect(shown?["effect"] == ["approve": "Unlocks the quote"] && shown?["remind_at"] == .null)
            let answer = try await server.post(
                "/v1/approvals/\(id):decide", ["outcome": "counter", "by": "ana", "form": ["counter": "x"]])
            #expect(answer.status == 422 && answer.json["code"] == "PG4121")
            #expect(
                answer.json["errors"]?.array?.map { $0["pointer"] } == ["/form/counter", "/form/size"])
            #expect(try await server.get("/v1/approvals?kind=parked").json["code"] == "PG4020")
        }
    }

    @Test func `parked data is repaired on its page`() async throws {
        try await RunningServer.with(["sync.lua": sync]) { server in
            let (run, id) = try await server.startUntilApproval("sync", input: ["plan": "gold", "n": 1])
            #expect(try await server.get("/approvals").text.contains("Nothing waits for a decision"))
            let inbox = try await server.get("/approvals?tab=attention").text
            #expect(inbox.contains("CRM refused the record") && inbox.contains("no such plan"))
            #expect(inbox.contains("Needs attention <span class=\"count\">1</span>"))
            let address = "/approvals/\(id)"
            let page = try await server.get(address).text
            for part in [
                "no such plan", "bad data", "The data is wrong.", ">Fix and retry</button>",
                ">Discard</button>",
                "&quot;plan&quot;: &quot;gold&quot;", "What the other side answered",
            ] { #expect(page.contains(part), "\(part)") }
            var form = [
                "nonce": try nonce(page), "by": "ana", "outcome": "retry", "data": "{\"plan\": \"silver\"",
            ]
            let broken = try await server.submit(address, form)
            #expect(broken.status == 422 && broken.text.contains("The data is not JSON"))
            #expect(broken.text.contains("{&quot;plan&quot;: &quot;silver&quot;</textarea>"))
            form["nonce"] = try nonce(broken.text)
            form["data"] = "[1]"
            let other = try await server.submit(address, form)
            #expect(other.status == 422 && other.text.contains("it is a list, and was an object"))
            form["nonce"] = try nonce(other.text)
            form["data"] =
                "{\r\n  \"plan\": \"silver\", \"pad\": \"\(String(repeating: "ü", count: 90_000))\"}"
            #expect(try await server.submit(address, form).status == 303)
            let end = try await server.host.waitForEnd(run: run, timeoutMilliseconds: 20_000)
            let output = try end.output.map { try JSON(parsing: $0) }
            #expect(output?["plan"] == "silver" && output?["pad"]?.string?.count == 90_000)
            #expect(try await server.get(address).text.contains("ana repaired this at"))
        }
    }

    @Test func `parked data is repaired and discarded through the API`() async throws {
        try await RunningServer.with(["sync.lua": sync]) { server in
            let (first, id) = try await server.startUntilApproval("sync", input: ["plan": "gold"])
            #expect(try await server.get("/v1/runs/\(first)").json["waits"]?.array?.first?["kind"] == "park")
            let whole = try await server.get("/v1/approvals/\(id)").json
            #expect(whole["data"] == ["plan": "gold"] && whole["retryable"] == false)
            #expect(
                try await server.get("/v1/approvals?kind=park").json["items"]?.array?.first?["data"] == nil)
            let wrong = try await server.post("/v1/approvals/\(id):decide", ["outcome": "retry", "data": 7])
            #expect(wrong.status == 422 && wrong.json["errors"]?.array?.first?["pointer"] == "/data")
            _ = try await server.post(
                "/v1/approvals/\(id):decide", ["outcome": "retry", "data": ["plan": "x"]])
            let end = try await server.host.waitForEnd(run: first, timeoutMilliseconds: 20_000)
            #expect(try end.output.map { try JSON(parsing: $0) } == ["plan": "x"])
            let (second, other) = try await server.startUntilApproval("sync", input: ["plan": "gold"])
            _ = try await server.post("/v1/approvals/\(other):decide", ["outcome": "discard"])
            let last = try await server.host.waitForEnd(run: second, timeoutMilliseconds: 20_000)
            #expect(try last.output.map { try JSON(parsing: $0) } == "discarded")
        }
    }
}
