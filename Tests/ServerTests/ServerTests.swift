import Foundation
import HTTPTypes
import Perigee
import PerigeeJournal
@testable import PerigeeServer
import Testing

private let echo = """
    return workflow {
      on = { { event = "demo.requested" }, { manual = true }, { http = "POST /orders/new" } },
      run = function(input)
        log.info("got it", { n = input.n })
        return { n = input.n }
      end,
    }
    """

private let ask = """
    return workflow {
      name = "Discount approval",
      on = { manual = true },
      key = "deal:{id}",
      run = function(deal)
        local answer = ask.approval("Manager approval", {
          to = "boss@acme.example", timeout = "24h",
          show = {
            { "Customer", deal.company, link = "https://crm.example/1" },
            { "ARR", 1234500, as = "money", currency = "EUR" },
            { "Margin", 12, as = "percent", warn_below = 20 },
          },
          choices = { "approve", "reject" }, comment_required_on = { "reject" },
        })
        return { outcome = answer.outcome, by = answer.by, comment = answer.comment }
      end,
    }
    """

private let broken = """
    return workflow {
      on = { manual = true },
      run = function() htpp.post("x", {}) end,
    }
    """

/// The server in front of a real engine.
struct ServerTests {
    @Test func `schedules are listed with their next times, also on the page of the workflows`() async throws
    {
        let nightly =
            "return workflow { on = { cron = \"0 2 * * *\", tz = \"Asia/Tokyo\" }, run = function() end }"
        try await RunningServer.with(["nightly.lua": nightly, "echo.lua": echo]) { server in
            let items = try #require(try await server.get("/v1/schedules").json["items"]?.array)
            #expect(items.count == 1 && items[0]["workflow"] == "nightly" && items[0]["tz"] == "Asia/Tokyo")
            #expect(
                items[0]["overlap"] == "skip" && items[0]["catch_up"] == "one" && items[0]["pending"] == [])
            #expect(items[0]["last_scheduled_for"] == .null && items[0]["note"] == .null)
            let next = (items[0]["next"]?.array ?? []).compactMap(\.string)
            #expect(next.count == 5 && next.allSatisfy { $0.hasSuffix("T02:00:00+09:00") })
            let page = try await server.get("/workflows").text
            #expect(page.contains("every day at 02:00, Asia/Tokyo (next "))
        }
    }

    @Test func `an event starts a run once, however often it is sent`() async throws {
        try await RunningServer.with(["echo.lua": echo]) { server in
            let event: JSON = ["type": "demo.requested", "data": ["n": 7], "id": "e1"]
            let first = try await server.post("/v1/events", event)
            #expect(first.status == 202)
            let id = try #require(first.json["runs"]?.array?.first?.string)
            let second = try await server.post("/v1/events", event)
            #expect(second.status == 202 && second.json["runs"] == first.json["runs"])
            #expect(second.json["event_id"] == first.json["event_id"] && second.json["duplicate"] == true)
            let run = try await server.host.waitForEnd(run: id, timeoutMilliseconds: 20_000)
            #expect(run.status == .completed)
            let shown = try await server.get("/v1/runs/\(id)").json
            #expect(
                shown["output"] == ["n": 7] && shown["status"] == "completed" && shown["waiting_for"] == .null
            )
            #expect(try await server.get("/v1/runs").json["items"]?.array?.count == 1)
        }
    }

    @Test func `a batch of events has an answer in each member's place`() async throws {
        try await RunningServer.with(["echo.lua": echo]) { server in
            let answer = try await server.post(
                "/v1/events",
                [["type": "demo.requested", "data": ["n": 1]], ["typ": "x"], ["type": "nobody.listens"]])
            let items = try #require(answer.json["items"]?.array)
            #expect(answer.status == 202 && items.count == 3)
            #expect(items[0]["runs"]?.array?.count == 1 && items[2]["runs"] == [])
            #expect(items[1]["code"] == "PG4020" && items[1]["status"] == 422)
        }
    }

    @Test func `a caller who is willing to wait gets the run at its end`() async throws {
        try await RunningServer.with(["echo.lua": echo]) { server in
            let waited = try await server.post(
                "/v1/workflows/echo/runs", ["input": ["n": 1]], headers: [try name("Prefer"): "wait=30"])
            #expect(waited.status == 200 && waited.json["output"] == ["n": 1])
            #expect(waited.headers[try name("Preference-Applied")] == "wait=30")
            let started = try await server.post("/v1/workflows/echo/runs", ["input": ["n": 2]])
            #expect(started.status == 202)
            #expect(started.headers[.location] == started.json["id"]?.string.map { "/v1/runs/\($0)" })
        }
    }

    @Test func `the same idempotency key gives the same run, and is refused for another`() async throws {
        try await RunningServer.with(["echo.lua": echo]) { server in
            let key: HTTPFields = [try name("Idempotency-Key"): "\"order-7\""]
            let first = try await server.post("/v1/workflows/echo/runs", ["input": ["n": 1]], headers: key)
            let again = try await server.post("/v1/workflows/echo/runs", ["input": ["n": 1]], headers: key)
            #expect(first.json["id"] == again.json["id"] && again.status == 202)
            let other = try await server.post("/v1/workflows/echo/runs", ["input": ["n": 2]], headers: key)
            #expect(other.status == 422 && other.json["code"] == "PG3003")
            let list = try await server.post("/v1/workflows/echo/runs", [["input": ["n": 2]]], headers: key)
            #expect(list.status == 400)
        }
    }

    @Test func `a list of runs starts the good ones`() async throws {
        try await RunningServer.with(["echo.lua": echo]) { server in
            let answer = try await server.post(
                "/v1/workflows/echo/runs",
                [["input": ["n": 1]], ["inptu": 1], ["input": ["n": 3], "key": "k"]])
            let items = try #require(answer.json["items"]?.array)
            #expect(items[0]["id"] != nil && items[2]["key"] == "k")
            #expect(items[1]["errors"]?.array?.first?["pointer"] == "/1/inptu")
        }
    }

    @Test func `a request to a hook starts its workflow, and a wrong one is told what fits`() async throws {
        try await RunningServer.with(["echo.lua": echo]) { server in
            let started = try await server.post("/hooks/orders/new", ["n": 5])
            #expect(started.status == 202 && started.json["input"] == ["n": 5])
            let form = try await server.submit("/hooks/orders/new", ["n": "five"])
            #expect(form.json["input"] == ["n": "five"])
            let wrong = try await server.get("/hooks/orders/new")
            #expect(wrong.status == 405 && wrong.headers[.allow] == "POST")
            #expect(try await server.get("/hooks/nothing").json["code"] == "PG4007")
        }
    }

    @Test func `an approval is decided once, through the API`() async throws {
        try await RunningServer.with(["ask.lua": ask]) { server in
            let (run, id) = try await server.startUntilApproval("ask", input: ["id": 1, "company": "Acme"])
            let waiting = try await server.get("/v1/approvals?status=waiting").json["items"]?.array?.first
            #expect(
                waiting?["id"]?.string == id && waiting?["run"]?.string == run
                    && waiting?["label"] == "Manager approval")
            #expect(waiting?["choices"] == ["approve", "reject"] && waiting?["due_at"]?.string != nil)
            #expect(try await server.get("/v1/runs/\(run)").json["waiting_for"] == "Manager approval")
            let address = "/v1/approvals/\(id):decide"
            #expect(try await server.post(address, ["outcome": "maybe"]).json["code"] == "PG4012")
            #expect(try await server.post(address, ["outcome": "reject"]).json["code"] == "PG4013")
            let decided = try await server.post(
                address, ["outcome": "approve", "comment": "ok", "by": "ana"])
            #expect(decided.status == 200 && decided.json["decision"]?["by"] == "ana")
            #expect(
                try await server.post(address, ["outcome": "reject", "comment": "no"]).json["code"]
                    == "PG4011")
            let end = try await server.host.waitForEnd(run: run, timeoutMilliseconds: 20_000)
            #expect(end.output.map { JSON($0) }?["outcome"] == "approve")
            #expect(try await server.get("/v1/approvals?status=waiting").json["items"] == [])
        }
    }

    @Test func `on the page, looking never decides, and a second click says what was decided`() async throws {
        try await RunningServer.with(["ask.lua": ask]) { server in
            let (run, id) = try await server.startUntilApproval("ask", input: ["id": 1, "company": "<Acme>"])
            let page = try await server.get("/approvals/\(id)")
            #expect(page.text.contains("&lt;Acme&gt;") && page.text.contains("1,234,500 EUR"))
            #expect(page.text.contains("below 20") && page.text.contains("href=\"https://crm.example/1\""))
            #expect(try await server.host.approval(id: id).status == .waiting)
            let short = try await server.get("/a/\(id.dropFirst(4).prefix(6))")
            #expect(short.status == 303 && short.headers[.location] == "/approvals/\(id)")

            var form = ["nonce": try nonce(page), "outcome": "reject", "by": "you", "comment": " "]
            let refused = try await server.submit("/approvals/\(id)", form)
            #expect(refused.status == 422 && refused.text.contains("needs a comment"))
            form = ["nonce": try nonce(refused), "outcome": "approve", "by": "you", "comment": "fine"]
            for _ in 1...2 {
                let answer = try await server.submit("/approvals/\(id)", form)
                #expect(answer.status == 303 && answer.headers[.location] == "/approvals/\(id)")
            }
            let after = try await server.get("/approvals/\(id)").text
            #expect(after.contains("You approved this at") && !after.contains("name=\"outcome\""))
            form["nonce"] = "made.up"
            #expect(try await server.submit("/approvals/\(id)", form).status == 303)
            _ = try await server.host.waitForEnd(run: run, timeoutMilliseconds: 20_000)
            #expect(try await server.host.approval(id: id).decision?.comment == "fine")
            #expect(try await server.get("/approvals?tab=decided").text.contains("You approved this at"))
        }
    }

    @Test func `a nonce of another process decides nothing and keeps what was written`() async throws {
        try await RunningServer.with(["ask.lua": ask]) { server in
            let (_, id) = try await server.startUntilApproval("ask", input: ["id": 1])
            let form = ["nonce": "made.up", "outcome": "approve", "by": "ana", "comment": "long thoughts"]
            let answer = try await server.submit("/approvals/\(id)", form)
            #expect(
                answer.status == 409 && answer.text.contains("long thoughts")
                    && answer.text.contains("value=\"ana\""))
            #expect(try await server.host.approval(id: id).status == .waiting)
        }
    }

    @Test func `a run is cancelled through the API, and through its page after a question`() async throws {
        try await RunningServer.with(["ask.lua": ask]) { server in
            let (first, approval) = try await server.startUntilApproval("ask", input: ["id": 1])
            let cancelled = try await server.post(
                "/v1/runs/\(first):cancel", ["by": "ana", "reason": "wrong deal"])
            #expect(cancelled.status == 200 || cancelled.status == 202)
            _ = try await server.host.waitForEnd(run: first, timeoutMilliseconds: 20_000)
            #expect(try await server.post("/v1/runs/\(first):cancel").json["code"] == "PG4014")
            #expect(
                try await server.get("/approvals/\(approval)").text.contains("ended before anybody decided"))
            #expect(
                try await server.post("/v1/approvals/\(approval):decide", ["outcome": "approve"]).json["code"]
                    == "PG4010")

            let (second, _) = try await server.startUntilApproval("ask", input: ["id": 2])
            let question = try await server.get("/runs/\(second)/cancel")
            let answer = try await server.submit(
                "/runs/\(second)/cancel", ["nonce": try nonce(question), "by": "you", "reason": ""])
            #expect(answer.status == 303 && answer.headers[.location] == "/runs/\(second)")
            #expect(
                try await server.host.waitForEnd(run: second, timeoutMilliseconds: 20_000).status
                    == .cancelled)
        }
    }

    @Test func `a run's history is complete, and a live reader gets it to the end`() async throws {
        try await RunningServer.with(["ask.lua": ask]) { server in
            let (run, id) = try await server.startUntilApproval("ask", input: ["id": 1])
            async let stream = server.get("/v1/runs/\(run)/history", headers: [.accept: "text/event-stream"])
            _ = try await server.post("/v1/approvals/\(id):decide", ["outcome": "approve"])
            let text = try await stream.text
            #expect(text.contains("event: item\nid: 1.0\n") && text.contains("\"status\":\"completed\""))
            let items = try await server.get("/v1/runs/\(run)/history").json["items"]?.array ?? []
            #expect(items.first?["type"] == "wait" && items.last?["type"] == "step")
            #expect(items.last?["label"] == "Manager approval" && items.last?["verb"] == "ask.approval")
            let last = try #require(text.split(separator: "\n").last { $0.hasPrefix("id: ") }).dropFirst(4)
            let resumed = try await server.get(
                "/v1/runs/\(run)/history",
                headers: [.accept: "text/event-stream", try name("Last-Event-ID"): String(last)])
            #expect(resumed.status == 204)
        }
    }

    @Test func `runs are found by search, page by page`() async throws {
        try await RunningServer.with(["echo.lua": echo]) { server in
            for n in 1...3 {
                _ = try await server.post(
                    "/v1/workflows/echo/runs", ["input": ["n": .int(Int64(n))], "key": .string("k\(n)")],
                    headers: [try name("Prefer"): "wait=30"])
            }
            let page = try await server.get("/v1/runs?limit=2")
            #expect(page.json["items"]?.array?.count == 2)
            let next = try #require(page.headers[try name("Link")]?.split(separator: ">").first?.dropFirst())
            let rest = try await server.get(String(next))
            #expect(rest.json["items"]?.array?.count == 1 && rest.json["next_cursor"] == .null)
            #expect(try await server.get("/v1/runs?q=key:k2").json["items"]?.array?.first?["key"] == "k2")
            #expect(try await server.get("/v1/runs?q=status%3Afailed").json["items"] == [])
            #expect(try await server.get("/v1/runs?q=stauts:failed").json["code"] == "PG4050")
            let id = try #require(rest.json["items"]?.array?.first?["id"]?.string)
            #expect(try await server.get("/v1/runs?q=\(id)").json["items"]?.array?.count == 1)
            #expect(try await server.get("/r/\(id.dropFirst(4))").headers[.location] == "/runs/\(id)")
        }
    }

    @Test func `every page shows the host as it is`() async throws {
        try await RunningServer.with(["echo.lua": echo, "ask.lua": ask, "broken.lua": broken]) { server in
            #expect(try await server.get("/").text.contains("perigee send demo.requested"))
            let (run, _) = try await server.startUntilApproval("ask", input: ["id": 1, "company": "Acme"])
            #expect(try await server.get("/").text.contains("href=\"/runs/\(run)\""))
            let page = try await server.get("/runs/\(run)").text
            #expect(page.contains("Manager approval") && page.contains("Decide…") && page.contains("deal:1"))
            #expect(try await server.get("/approvals").text.contains("1,234,500 EUR"))
            let workflows = try await server.get("/workflows").text
            #expect(workflows.contains("Discount approval") && workflows.contains("POST /hooks/orders/new"))
            #expect(workflows.contains("htpp") && workflows.contains("Not loaded"))
            #expect(try await server.get("/v1/workflows").json["items"]?.array?.count == 3)
            #expect(try await server.get("/v1/workflows/echo").json["version"] == 1)
            #expect(
                try await server.get("/v1/workflows/ehco").json["detail"]?.string?.contains("\"echo\"")
                    == true)
            #expect(try await server.post("/v1/workflows/broken/runs").status == 409)
            #expect(try await server.get("/livez").text == "ok\n")
            #expect(
                try await server.get("/readyz?verbose").text
                    == "[+]db ok\n[+]scripts ok\n[+]intake ok: 0 waiting, 0 refused\nok\n")
        }
    }

    @Test func `what is not there is told, to programs and to people`() async throws {
        try await RunningServer.with(["echo.lua": echo]) { server in
            let cases = [
                ("/v1/runs/run_x", "PG4005"), ("/v1/runs/run_x/history", "PG4005"),
                ("/v1/approvals/apr_x", "PG4006"),
                ("/v1/workflows/nope", "PG4004"), ("/v1/nope", "PG4040"),
            ]
            for (path, code) in cases {
                let answer = try await server.get(path)
                #expect(answer.status == 404 && answer.json["code"]?.string == code, "\(path)")
            }
            for path in ["/runs/run_x", "/r/nope", "/approvals/apr_x", "/a/nope", "/nope"] {
                let answer = try await server.get(path, headers: [.accept: "text/html"])
                #expect(answer.status == 404 && answer.text.contains("<main"), "\(path)")
            }
            #expect(try await server.send(.delete, "/v1/runs", nil, headers: [:]).status == 405)
        }
    }

    private func name(_ text: String) throws -> HTTPField.Name { try #require(HTTPField.Name(text)) }

    /// The nonce in a page's form.
    private func nonce(_ page: RunningServer.Answer) throws -> String {
        let start = try #require(page.text.firstRange(of: "name=\"nonce\" value=\""))
        return String(page.text[start.upperBound...].prefix { $0 != "\"" })
    }

    // MARK: Error codes

    @Test func `each error code has its page, in letters of any size`() async throws {
        try await RunningServer.with([:]) { server in
            for path in ["/errors/PG1050", "/errors/pg1050", "/errors/1050"] {
                let page = try await server.get(path)
                #expect(page.status == 200)
                #expect(page.headers[.contentType] == "text/html; charset=utf-8")
                #expect(page.text.contains("<span class=\"code\">PG1050</span> A value is empty (nil)</h1>"))
                #expect(page.text.contains("<h2>How to fix it</h2>"))
                #expect(
                    page.text.contains(
                        "in <code>firm.json.company.employees</code>, <code>firm.json.company</code>"))
                #expect(page.text.contains("<li>The first item of a list is <code>items[1]</code>"))
                #expect(page.text.contains("local size = firm.json.staff_count         -- after"))
                #expect(!page.text.contains("```") && !page.text.contains("{{"))
            }
        }
    }

    @Test func `an error code that there is not is not found, with the nearest`() async throws {
        try await RunningServer.with([:]) { server in
            let page = try await server.get("/errors/PG1O50")
            #expect(page.status == 404)
            #expect(page.json["code"] == "PG4008")
            #expect(page.json["hint"] == "Did you mean PG1050?")
            #expect(page.json["type"] == "/errors/PG4008")
        }
    }

    @Test func `the page of a failed run shows the line and leads to the explanation`() async throws {
        let script = "return workflow { run = function(input)\n  local x = input.a.b\nend }"
        try await RunningServer.with(["bad.lua": script]) { server in
            let activity = server.host.activity()
            let started = try await server.post("/v1/workflows/bad/runs", ["input": [:]])
            let id = try #require(started.json["id"]?.string)
            for await event in activity { if case .runEnded = event { break } }
            let page = try await server.get("/runs/\(id)")
            #expect(page.text.contains("<a class=\"code\" href=\"/errors/PG1050\">PG1050</a>"))
            #expect(page.text.contains("bad.lua:2\n"))
            #expect(page.text.contains("2 |   local x = input.a.b\n    |             ^^^^^^^"))
        }
    }
}
