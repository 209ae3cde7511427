import Perigee
import PerigeeLua
import PerigeeTesting
import PerigeeJournal
import Testing

@Suite("A run", .timeLimit(.minutes(5)))
struct RunTests {
    @Test("returns what its script returns", arguments: Setting.all)
    func completes(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["sum.lua": script("return { sum = input.a + input.b }")])
        try await test.run { test in
            let run = try await test.end(try await test.begin("sum", ["a": 1, "b": 2]).id)
            #expect(run.status == .completed)
            #expect(run.result == ["sum": 3])
        }
    }

    @Test("sleeps until its time, and gets the time that was recorded", arguments: Setting.all)
    func sleeps(_ setting: Setting) async throws {
        let test = try TestHost(
            setting,
            scripts: [
                "nap.lua": script("local a = flow.now() sleep(\"Nap\", \"24h\") return { a, flow.now() }")
            ])
        try await test.run { test in
            let started = try await test.begin("nap")
            let waiting = try await test.run(started.id, reaches: .waiting)
            #expect(waiting.waits.map(\.address.label) == ["Nap"])
            test.clock.advance(milliseconds: 24 * 3_600_000)
            let run = try await test.end(started.id)
            #expect(run.result == ["2026-09-21T14:13:20.000Z", "2026-09-22T14:13:20.000Z"])
        }
    }

    @Test("waits for the event that matches, and looks back to its start", arguments: Setting.all)
    func events(_ setting: Setting) async throws {
        let body = """
            sleep("First", "1h")
            local paid = wait.event("Paid", { event = "paid", match = { id = input.id }, timeout = "1d" })
            local never = wait.event("Never", { event = "never", timeout = "1h" })
            return { amount = paid.data.amount, never = never == nil }
            """
        let test = try TestHost(setting, scripts: ["pay.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("pay", ["id": "A"]).id
            _ = try await test.run(id, reaches: .waiting)
            _ = try await test.send("paid", ["id": "B", "amount": 1])
            _ = try await test.send("paid", ["id": "A", "amount": 2])
            test.clock.advance(milliseconds: 3_600_000)
            _ = try await test.until(id) { $0.waits.first?.address.label == "Never" }
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(id).result == ["amount": 2, "never": true])
        }
    }

    @Test("asks a person, once", arguments: Setting.all)
    func approval(_ setting: Setting) async throws {
        let body = """
            local d = ask.approval("OK?", { to = { "ana" }, show = { { "Amount", 5 } }, timeout = "1h" })
            return { d.outcome, d.by or "nobody", d.comment or "" }
            """
        let test = try TestHost(setting, scripts: ["ask.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("ask").id
            let waiting = try await test.run(id, reaches: .waiting)
            let approval = try #require(waiting.waits.first?.id)
            await #expect(throws: HostError.self) {
                try await test.host.decide(approval: approval, outcome: "maybe", by: "ana")
            }
            _ = try await test.host.decide(approval: approval, outcome: "Approve", by: "ana", comment: "fine")
            #expect(try await test.end(id).result == ["approve", "ana", "fine"])
            let again = await #expect(throws: HostError.self) {
                try await test.host.decide(approval: approval, outcome: "reject", by: "bob")
            }
            #expect(again?.code == "PG4011")
        }
    }

    @Test("whose approval nobody decides goes on with \"timeout\"", arguments: Setting.all)
    func approvalTimeout(_ setting: Setting) async throws {
        let test = try TestHost(
            setting,
            scripts: ["ask.lua": script("return ask.approval(\"OK?\", { timeout = \"1h\" }).outcome")])
        try await test.run { test in
            let id = try await test.begin("ask").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(id).result == "timeout")
            #expect(try await test.host.approvals(status: .expired, limit: 10).count == 1)
        }
    }

    @Test("whose script fails needs attention, and says where", arguments: Setting.all)
    func attention(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["bad.lua": script("local t = nil\nreturn t.field")])
        try await test.run { test in
            let run = try await test.end(try await test.begin("bad").id)
            #expect(run.status == .attention)
            #expect(run.problem?["line"] == 3)
            #expect(run.problem?["code"] == "PG1050")
            #expect(run.problem?["excerpt"]?.string?.contains("return t.field") == true)
        }
    }

    @Test("ends as failed or stopped when the script says so", arguments: Setting.all)
    func ends(_ setting: Setting) async throws {
        let test = try TestHost(
            setting,
            scripts: [
                "fail.lua": script("flow.fail(\"No stock\")"),
                "stop.lua": script("pcall(function() flow.stop(\"Nothing to do\") end) return 1"),
            ])
        try await test.run { test in
            let failed = try await test.end(try await test.begin("fail").id)
            #expect(failed.status == .failed)
            #expect(failed.problem?["message"] == "No stock")
            let stopped = try await test.end(try await test.begin("stop").id)
            #expect(stopped.status == .stopped)
            #expect(stopped.result == ["reason": "Nothing to do"])
        }
    }

    @Test("that computes without end is ended, and its neighbours go on", arguments: Setting.all)
    func endless(_ setting: Setting) async throws {
        let test = try TestHost(
            setting,
            scripts: [
                "loop.lua": script("while true do pcall(function() while true do end end) end"),
                "ok.lua": script("return 1"),
            ]
        ) { $0.limits.cpuMilliseconds = 200 }
        try await test.run { test in
            let loop = try await test.begin("loop").id
            #expect(try await test.end(try await test.begin("ok").id).status == .completed)
            let ended = try await test.end(loop)
            #expect(ended.status == .attention)
            #expect(ended.problem?["code"] == "PG1030")
        }
    }

    @Test("is cancelled while it waits, and stays so", arguments: Setting.all)
    func cancel(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["nap.lua": script("sleep(\"1h\") return 1")])
        try await test.run { test in
            let id = try await test.begin("nap").id
            _ = try await test.run(id, reaches: .waiting)
            _ = try await test.host.cancel(run: id, by: "ana", reason: "mistake")
            #expect(try await test.end(id).status == .cancelled)
            let again = await #expect(throws: HostError.self) {
                try await test.host.cancel(run: id, by: "bob")
            }
            #expect(again?.code == "PG4014")
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.host.run(id: id).status == .cancelled)
        }
    }
}
