@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("Pause, retry now and batches", .timeLimit(.minutes(5)))
struct PauseTests {
    @Test("a paused run keeps what comes, and takes it when it is resumed", arguments: Setting.all)
    func waiting(_ setting: Setting) async throws {
        let body = """
            local r = parallel("P", {
              paid = function() return wait.event("Paid", { event = "paid" }).data.n end,
              time = function() sleep("1h") return 2 end,
            })
            return r.paid.value + r.time.value
            """
        let test = try TestHost(setting, scripts: ["a.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("a").id
            _ = try await test.until(id) { $0.status == .waiting && $0.waits.count == 2 }
            #expect(try await test.host.act(on: id, .pause, by: "ana").status == .paused)
            _ = try await test.send("paid", ["n": 1])
            test.clock.advance(milliseconds: 7_200_000)
            #expect(try await test.host.run(id: id).status == .paused)
            _ = try await test.host.act(on: id, .resume, by: "ana")
            #expect(try await test.run(id, reaches: .completed).result == 3)
        }
    }

    @Test("a run that works finishes what is under way, and begins nothing more", arguments: Setting.all)
    func working(_ setting: Setting) async throws {
        let held = HeldCalls()
        let body = "local a = call(\"C\", \"held\", \"x\") \(RetryTests.post("Second", "2")) return a"
        let test = try TestHost(setting, scripts: ["a.lua": script(body)])
        held.register(on: test.host)
        try await test.run { test in
            let id = try await test.begin("a").id
            await held.untilBegun(1)
            let asked = try await test.host.act(on: id, .pause, by: "ana")
            #expect(asked.status == .running)
            held.gate("x").open()
            let paused = try await test.run(id, reaches: .paused)
            #expect(paused.entryCount == 1)
            #expect(test.world.calls.isEmpty)
            _ = try await test.host.act(on: id, .resume, by: "ana")
            #expect(try await test.run(id, reaches: .completed).result == "x")
            #expect(test.world.calls.count == 1)
        }
    }

    @Test("a call that waits for its next attempt does not hold up a pause", arguments: Setting.all)
    func betweenAttempts(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/1")
        let body =
            "http.post(\"Send\", { url = \"https://a.example/1\", retry = { \"3h\", \"3h\" } }) return 1"
        let test = try TestHost(setting, scripts: ["a.lua": script(body)], world: broken.world)
        try await test.run { test in
            let id = try await test.begin("a").id
            try await test.untilRetryWaits(1)
            _ = try await test.host.act(on: id, .pause, by: "ana")
            _ = try await test.run(id, reaches: .paused)
            broken.mend()
            let preview = try await test.host.preview(.resume, on: id)
            #expect(preview.sendsAgain.map(\.state) == [.begun])
            #expect(preview.sendsAgain.map(\.target) == ["POST a.example/1"])
            _ = try await test.host.act(on: id, .resume, by: "ana")
            test.clock.advance(milliseconds: 14_400_000)
            #expect(try await test.run(id, reaches: .completed).result == 1)
            let keys = Set(test.world.requests.map { $0.header("Idempotency-Key") })
            #expect(keys.count == 1)
        }
    }

    @Test("the next attempt is made at once when somebody asks for it", arguments: Setting.all)
    func retryNow(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/1")
        let body =
            "http.post(\"Send\", { url = \"https://a.example/1\", retry = { \"3h\", \"3h\" } }) return 1"
        let test = try TestHost(setting, scripts: ["a.lua": script(body)], world: broken.world)
        try await test.run { test in
            let id = try await test.begin("a").id
            try await test.untilRetryWaits(1)
            broken.mend()
            _ = try await test.host.act(on: id, .retryNow(StepReference(label: "Send")), by: "ana")
            #expect(try await test.run(id, reaches: .completed).result == 1)
            #expect(test.world.calls.count == 2)
        }
    }

    @Test("a step that is being retried is given a result, and tried no more", arguments: Setting.all)
    func resultWhileRetried(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/1")
        let body = "return http.post(\"Send\", { url = \"https://a.example/1\", retry = { \"3h\", \"3h\" } })"
        let test = try TestHost(setting, scripts: ["a.lua": script(body)], world: broken.world)
        try await test.run { test in
            let id = try await test.begin("a").id
            try await test.untilRetryWaits(1)
            _ = try await test.host.act(
                on: id, .setResult(StepReference(label: "Send"), 7), by: "ana", reason: "by phone")
            #expect(try await test.run(id, reaches: .completed).result == 7)
            test.clock.advance(milliseconds: 14_400_000)
            #expect(test.world.calls.count == 1)
        }
    }

    @Test("what was asked for before a crash is done after it", arguments: Setting.all)
    func crash(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/1")
        let text = script(
            "return http.post(\"Send\", { url = \"https://a.example/1\", retry = { \"3h\", \"3h\" } })")
        let first = try TestHost(
            setting, scripts: ["a.lua": text], world: broken.world
        ) { $0.drainMilliseconds = 0 }
        var ids: [String] = []
        try await first.run { test in
            for _ in 0..<3 { ids.append(try await test.begin("a").id) }
            try await test.untilRetryWaits(3)
            // The host that works on them ends before it hears of it.
            let send = StepAddress(label: "Send", occurrence: 1)
            let actions: [RunAction] = [.pause, .setResult(send, JSON.int(7).bytes)]
            for (id, action) in zip(ids, actions) {
                let note = ActionNote(by: "ana", action: "x")
                _ = try await test.journal.act(on: id, action, note: note, now: test.clock.now)
            }
        }
        broken.mend()
        let calls = first.world.calls.count
        let second = try TestHost(
            setting, scripts: ["a.lua": text], world: broken.world, clock: first.clock,
            journal: setting.isSQLite ? nil : first.journal, folder: first.folder)
        try await second.run { test in
            #expect(try await test.run(ids[1], reaches: .completed).result == 7)
            // The third waits on for its next attempt, which is its second.
            #expect(calls == 3 && test.world.calls.isEmpty)
            test.clock.advance(milliseconds: 14_400_000)
            #expect(try await test.run(ids[2], reaches: .completed).result?["attempts"] == 2)
            #expect(test.world.requests.map(\.attempt) == [2])
            #expect(try await test.host.run(id: ids[0]).status == .paused)
            _ = try await test.host.act(on: ids[0], .resume, by: "ana")
            #expect(try await test.run(ids[0], reaches: .completed).result?["status"] == 200)
        }
    }
}

extension TestHost {
    /// Returns once so many runs wait for the next attempts of their calls.
    func untilRetryWaits(_ count: Int) async throws {
        let changes = host.activity()
        func waiting() async throws -> Int {
            try await journal.runs(RunQuery(namespace: "default", limit: 500)).runs
                .count { $0.waits.contains { $0.kind == .retry } }
        }
        if try await waiting() >= count { return }
        for await _ in changes where try await waiting() >= count { return }
    }

    /// Saves a script, and returns once the host has loaded it.
    func save(_ name: String, _ text: String) async throws {
        let changes = host.activity()
        try TestHost.write(text, to: name, in: scripts)
        clock.advance(milliseconds: 400)
        for await change in changes {
            if case .scriptLoaded = change { return }
        }
    }
}
