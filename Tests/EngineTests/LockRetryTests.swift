@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("Locks of runs that are retried or forked", .timeLimit(.minutes(5)))
struct LockRetryTests {
    private func label(_ run: RunRecord) -> String? { run.waits.first?.address.label }

    private func refusal(_ act: () async throws -> RunRecord) async -> HostError? {
        await #expect(throws: HostError.self) { try await act() }
    }

    private func fork(_ test: TestHost, _ id: String, from label: String) async throws -> RunRecord {
        try await test.host.fork(run: id, RunFork(from: StepReference(label: label)), by: "ana")
    }

    @Test("in the middle of a lock that was given back a run is refused", arguments: Setting.all)
    func refused(_ setting: Setting) async throws {
        let body = """
            flow.lock("Exclusive", "k", function()
              \(RetryTests.post("First", "1"))
              sleep("Work", "1h")
            end)
            sleep("After", "9d")
            """
        let test = try TestHost(setting, scripts: ["l.lua": script(body)])
        try await test.run { test in
            let first = try await test.begin("l").id
            _ = try await test.until(first) { label($0) == "Work" }
            let early = await refusal { try await fork(test, first, from: "Work") }
            #expect(early?.code == "PG4143")
            _ = try await test.host.cancel(run: first, by: "ana")
            #expect(try await test.end(first).status == .cancelled)
            let second = try await test.begin("l").id
            _ = try await test.until(second) { label($0) == "Work" }

            let error = await refusal { try await test.host.act(on: first, .retry(.same), by: "ana") }
            #expect(error?.code == "PG4143")
            #expect(error?.message.contains("\"Exclusive\" without the lock \"k\"") == true)
            #expect(error?.hint.contains("/Exclusive#1") == true)
            let byHand = await refusal {
                try await test.host.act(on: first, .skip(StepReference()), by: "ana")
            }
            #expect(byHand?.code == "PG4143")
            #expect(try await test.host.run(id: first).status == .cancelled)
            #expect(test.world.calls.count == 2)

            let third = try await fork(test, first, from: "Exclusive").id
            _ = try await test.until(third) { label($0) == "Exclusive" }
            #expect(
                try await test.host.relations(run: third).awaitedLocks
                    == [AwaitedLock(key: "k", holder: second, ahead: 0)])
            test.clock.advance(milliseconds: 3_600_000)
            _ = try await test.until(third) { label($0) == "Work" }
            #expect(test.world.calls.count == 3)

            _ = try await test.until(second) { label($0) == "After" }
            _ = try await test.host.cancel(run: second, by: "ana")
            #expect(try await test.end(second).status == .cancelled)
            _ = try await test.host.act(on: second, .retry(.same), by: "ana")
            _ = try await test.until(second) { label($0) == "After" }
            let after = try await fork(test, second, from: "After").id
            _ = try await test.until(after) { label($0) == "After" }
        }
    }

    @Test(
        "a run that goes on with the first step inside a lock asks for the lock again", arguments: Setting.all
    )
    func asksAgain(_ setting: Setting) async throws {
        let body = """
            return flow.lock("Outer", "o" .. input.n, function()
              return flow.lock("Exclusive", "k", function()
                sleep("Work", "1h")
                \(RetryTests.post("Do", "1"))
                return 1
              end)
            end)
            """
        let test = try TestHost(setting, scripts: ["l.lua": script(body)])
        try await test.run { test in
            let first = try await test.begin("l", ["n": 1]).id
            _ = try await test.until(first) { label($0) == "Work" }
            let second = try await test.begin("l", ["n": 2]).id
            _ = try await test.until(second) { label($0) == "Exclusive" }
            _ = try await test.host.cancel(run: first, by: "ana")
            _ = try await test.until(second) { label($0) == "Work" }
            _ = try await test.host.act(on: first, .retry(.same), by: "ana")
            _ = try await test.until(first) { label($0) == "Exclusive" }
            let third = try await fork(test, second, from: "Work").id
            _ = try await test.until(third) { label($0) == "Outer" }
            for id in [second, first, third] {
                _ = try await test.until(id) { label($0) == "Work" }
                #expect(try await test.host.relations(run: id).heldLocks.map(\.key).contains("k"))
                test.clock.advance(milliseconds: 3_600_000)
                #expect(try await test.run(id, reaches: .completed).result == 1)
            }
            #expect(test.world.calls.count == 3)
        }
    }

    @Test(
        "a run that needs attention goes on inside its lock, until that is given back", arguments: Setting.all
    )
    func attention(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/2")
        let body = """
            flow.lock("Exclusive", "k", function()
              \(RetryTests.post("First", "1"))
              \(RetryTests.post("Second", "2"))
            end)
            """
        let test = try TestHost(setting, scripts: ["l.lua": script(body)], world: broken.world)
        try await test.run { test in
            let first = try await test.begin("l").id
            #expect(try await test.end(first).status == .attention)
            let second = try await test.begin("l").id
            _ = try await test.until(second) { label($0) == "Exclusive" }
            broken.mend()
            _ = try await test.host.act(on: first, .retry(.same), by: "ana")
            _ = try await test.run(first, reaches: .completed)
            _ = try await test.run(second, reaches: .completed)
            let paths = test.world.calls.map { $0.split(separator: "/").last ?? "" }
            #expect(paths == ["1", "2", "2", "1", "2"])
        }
        let stopped = try TestHost(
            setting, scripts: ["l.lua": script(body)], world: RetryTests.Broken("/2").world)
        try await stopped.run { test in
            let id = try await test.begin("l").id
            #expect(try await test.end(id).status == .attention)
            _ = try await test.host.cancel(run: id, by: "ana")
            #expect(try await test.run(id, reaches: .cancelled).status == .cancelled)
            let error = await refusal { try await test.host.act(on: id, .retry(.same), by: "ana") }
            #expect(error?.code == "PG4143")
        }
    }

    @Test("a lock that an error has left in a branch is asked for again", arguments: Setting.all)
    func branches(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/a", "/b")
        let body = """
            local r = each("Items", { "a", "b" }, function(item)
              return flow.lock("Account", item, function()
                return http.post("Send", { url = "https://a.example/" .. item, retry = { max_attempts = 1 } }).json.n
              end)
            end, { at_once = 1 })
            return r.ok
            """
        let test = try TestHost(setting, scripts: ["l.lua": script(body)], world: broken.world)
        try await test.run { test in
            let id = try await test.begin("l").id
            #expect(try await test.end(id).status == .attention)
            broken.mend()
            _ = try await test.host.act(on: id, .retry(.same), by: "ana")
            #expect(try await test.run(id, reaches: .completed).result == 2)
            // That of the last one was not yet given back as the run came to its stop.
            let entries = RunLog.valid(try await test.host.history(run: id).entries)
            let granted = entries.compactMap(\.completedStep).filter { $0.verb == "flow.lock" }
            #expect(granted.map(\.address.path) == ["Items/2", "Items/1"])
            #expect(test.world.calls.count == 4)
        }
    }

    @Test("a fork that stopped inside a lock which it never had can't go on there", arguments: Setting.all)
    func stoppedFork(_ setting: Setting) async throws {
        func text(_ end: String) -> String {
            script("flow.lock(\"Exclusive\", \"k\", function() \(RetryTests.post("First", "1")) \(end) end)")
        }
        let test = try TestHost(setting, scripts: ["l.lua": text(RetryTests.post("Second", "2"))])
        try await test.run { test in
            let first = try await test.begin("l").id
            #expect(try await test.end(first).status == .completed)
            try await test.save("l.lua", text("error(\"no\")"))
            let cut = RunFork(from: StepReference(label: "Second"), version: .newest)
            let second = try await test.host.fork(run: first, cut, by: "ana").id
            #expect(try await test.end(second).status == .attention)
            try await test.save("l.lua", text(RetryTests.post("Third", "3")))
            let error = await refusal { try await test.host.act(on: second, .retry(.newest), by: "ana") }
            #expect(error?.code == "PG4143")
            #expect(test.world.calls.count == 2)
        }
    }
}
