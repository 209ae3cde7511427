import Foundation
import Perigee
import PerigeeJournal
import Testing

@Suite(.timeLimit(.minutes(5)))
struct ActionTests {
    /// Fails until a person gives the step its result, and waits for a decision afterwards.
    private static let scripts = [
        "a.lua": """
        return workflow { run = function(input)
          local r = call("Book", "book", { n = input.n })
          ask.approval("OK?", {})
          return r
        end }
        """,
        "w.lua": "return workflow { run = function() sleep(\"Nap\", \"9d\") return 1 end }",
    ]

    private func reach(_ server: RunningServer, _ id: String, _ status: String) async throws -> JSON {
        let activity = server.host.activity()
        var run = try await server.get("/v1/runs/\(id)").json
        var changes = activity.makeAsyncIterator()
        while run["status"]?.string != status, await changes.next() != nil {
            run = try await server.get("/v1/runs/\(id)").json
        }
        return run
    }

    private func start(
        _ server: RunningServer, _ workflow: String, _ status: String, by: String = "ana"
    ) async throws -> String {
        let started = try await server.post(
            "/v1/workflows/\(workflow)/runs", ["input": ["n": 1], "by": .string(by)])
        let id = try #require(started.json["id"]?.string)
        _ = try await reach(server, id, status)
        return id
    }

    @Test func `a dry run names the calls that would be sent again and does nothing`() async throws {
        try await RunningServer.with(Self.scripts) { server in
            let id = try await start(server, "a", "attention")
            let before = try await server.get("/v1/runs/\(id)").text
            let dry = try await server.post("/v1/runs/\(id):fork?dry_run=true")
            #expect(dry.status == 200)
            #expect(dry.json["dry_run"] == true)
            let call = try #require(dry.json["sends_again"]?.array?.first)
            #expect(call["label"] == "Book")
            #expect(call["target"] == "book")
            #expect(call["state"] == "completed")
            #expect(try await server.get("/v1/runs/\(id)").text == before)
            let wrong = try await server.post("/v1/runs/\(id):fork?dry_run=yes")
            #expect(wrong.status == 400)
            #expect(wrong.json["code"] == "PG4020")
        }
    }

    @Test func `a result by hand lets a run go on, with its audit record`() async throws {
        try await RunningServer.with(Self.scripts) { server in
            let id = try await start(server, "a", "attention")
            let unreasoned = try await server.post("/v1/runs/\(id):setResult", ["step": "Book", "result": 7])
            #expect(unreasoned.status == 422)
            #expect(unreasoned.json["code"] == "PG4136")
            let missing = try await server.post("/v1/runs/\(id):setResult", ["step": "Book", "reason": "x"])
            #expect(missing.status == 422)
            #expect(missing.json["errors"]?.array?.first?["pointer"] == "/result")
            let activity = server.host.activity()
            let done = try await server.post(
                "/v1/runs/\(id):setResult",
                ["step": "Book", "result": ["id": 7], "by": "bob", "reason": "by phone"])
            #expect(done.status == 202)
            var approval = ""
            for await event in activity {
                if case .waiting(_, _, _, _, let asked?) = event {
                    approval = asked
                    break
                }
            }
            _ = try await server.post(
                "/v1/approvals/\(approval):decide", ["outcome": "approve", "by": "eve", "comment": "fine"])
            let run = try await server.host.waitForEnd(run: id, timeoutMilliseconds: 60_000)
            #expect(run.output == JSON.object(["id": 7]).bytes)
            let audit = try await server.get("/v1/audit?run=\(id)").json["items"]?.array ?? []
            #expect(audit.map { $0["action"] } == ["decide", "set_result", "start"])
            #expect(audit.map { $0["by"] } == ["eve", "bob", "ana"])
            #expect(audit.map { $0["reason"] } == ["fine", "by phone", .null])
            #expect(audit[1]["step"] == "Book")
            #expect(audit[1]["before"]?["status"] == "attention")
            #expect(audit[1]["after"]?["status"] == "queued")
            let first = try await server.get("/v1/audit?limit=1")
            let next = try #require(first.json["next_cursor"]?.string)
            #expect(first.json["items"]?.array?.first?["action"] == "decide")
            let page = try await server.get("/v1/audit?limit=1&cursor=\(next)")
            #expect(page.json["items"]?.array?.first?["action"] == "set_result")
        }
    }

    @Test func `pause, resume, terminate and fork answer with the run, or with why not`() async throws {
        try await RunningServer.with(Self.scripts) { server in
            let id = try await start(server, "w", "waiting")
            #expect(try await server.post("/v1/runs/\(id):pause").json["status"] == "paused")
            let again = try await server.post("/v1/runs/\(id):pause")
            #expect(again.status == 409)
            #expect(again.json["code"] == "PG4130")
            #expect(try await server.post("/v1/runs/\(id):resume").status == 202)
            let fork = try await server.post("/v1/runs/\(id):fork", ["key": "k", "by": "ana"])
            #expect(fork.status == 202)
            #expect(fork.json["trigger"]?["run"]?.string == id)
            #expect(fork.json["key"] == "k")
            #expect(try await server.post("/v1/runs/\(id):terminate").json["status"] == "terminated")
            let typo = try await server.post("/v1/runs/\(id):terminate", ["reson": "x"])
            #expect(typo.status == 422)
            #expect(typo.text.contains("reason"))
            let version = try await server.post("/v1/runs/\(id):retry", ["version": "latest"])
            #expect(version.status == 422)
            #expect(try await server.post("/v1/runs/run_none:retry").json["code"] == "PG4005")
        }
    }

    @Test func `a batch tells how many runs it would act on, and what became of each`() async throws {
        try await RunningServer.with(Self.scripts) { server in
            var ids: [String] = []
            for _ in 0..<6 { ids.append(try await start(server, "w", "waiting")) }
            let body: JSON = ["action": "terminate", "q": "workflow:w", "dry_run": true, "reason": "enough"]
            let dry = try await server.post("/v1/batches", body)
            #expect(dry.json["count"] == 6)
            #expect(dry.json["samples"]?.array?.count == 5)
            #expect(try await server.get("/v1/batches").json["items"]?.array?.isEmpty == true)
            let made = try await server.post(
                "/v1/batches", ["action": "terminate", "q": "workflow:w", "reason": "enough", "by": "ana"])
            #expect(made.status == 202)
            let batch = try #require(made.json["id"]?.string)
            for id in ids { _ = try await server.host.waitForEnd(run: id, timeoutMilliseconds: 60_000) }
            var ended = try await server.get("/v1/batches/\(batch)").json
            while ended["status"] != "completed" { ended = try await server.get("/v1/batches/\(batch)").json }
            #expect(ended["done"] == 6)
            let items = try await server.get("/v1/batches/\(batch)/items?state=done&limit=4").json
            #expect(items["items"]?.array?.count == 4)
            let rest = try await server.get(
                "/v1/batches/\(batch)/items?cursor=\(items["next_cursor"]?.string ?? "")")
            #expect(rest.json["items"]?.array?.count == 2)
            #expect(try await server.post("/v1/batches/\(batch):pause").json["code"] == "PG4141")
            #expect(try await server.get("/v1/batches/bat_none").json["code"] == "PG4140")
        }
    }

    private static let senseless: [(JSON, String)] = [
        (["action": "retry"], "/q"), (["action": "retry", "q": " "], "/q"),
        (["action": "setResult", "q": "status:waiting"], "/action"),
        (["action": "retry", "q": "status:failed", "version": "x"], "/version"),
        (["action": "retry", "q": "status:failed", "at_once": 0], "/at_once"),
        (["action": "retry", "q": "status:failed", "rate": 1], "/rate"),
    ]

    @Test(arguments: senseless)
    func `a batch that makes no sense is refused with the field`(body: JSON, pointer: String) async throws {
        try await RunningServer.with([:]) { server in
            let answer = try await server.post("/v1/batches", body)
            #expect(answer.status == 422)
            #expect(answer.json["errors"]?.array?.first?["pointer"]?.string == pointer)
        }
    }

    @Test func `the page before an action shows what is sent again, and its form acts once`() async throws {
        try await RunningServer.with(Self.scripts) { server in
            let id = try await start(server, "a", "attention")
            let run = try await server.get("/runs/\(id)")
            #expect(run.text.contains("/runs/\(id)/act/retry"))
            #expect(run.text.contains("/runs/\(id)/act/skip?step=Book"))
            #expect(run.text.contains("Who did what"))
            let page = try await server.get("/runs/\(id)/act/retry")
            #expect(page.text.contains("1 call is sent again"))
            #expect(page.text.contains("<code>book</code>"))
            let stale = try await server.submit("/runs/\(id)/act/skip", ["nonce": "x", "step": "Book"])
            #expect(stale.status == 409)
            let skip = try await server.get("/runs/\(id)/act/skip?step=Book")
            let nonce = try #require(skip.text.firstMatch(of: #/name="nonce" value="([^"]+)"/#)).1
            let sent = try await server.submit(
                "/runs/\(id)/act/skip",
                ["nonce": String(nonce), "step": "Book", "by": "ana", "reason": "<b>known</b>"])
            #expect(sent.status == 303)
            _ = try await reach(server, id, "waiting")
            let after = try await server.get("/runs/\(id)")
            #expect(after.text.contains("&lt;b&gt;known&lt;/b&gt;"))
            #expect(!after.text.contains("<b>known</b>"))
            let refused = try await server.get("/runs/\(id)/act/retry")
            #expect(refused.text.contains("can&#39;t be retried"))
        }
    }
}
