@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("flow.lock", .timeLimit(.minutes(5)))
struct LockTests {
    private static let holder = script(
        """
        local result = flow.lock("Exclusive", "k", function()
          sleep("Work", "1h")
          flow.state.set("last", flow.run.id)
          return "done"
        end)
        sleep("After", "9d")
        return result
        """)

    private func label(_ run: RunRecord) -> String? { run.waits.first?.address.label }

    @Test("One run at a time has it, in the order in which they asked", arguments: Setting.all)
    func order(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["l.lua": LockTests.holder])
        try await test.run { test in
            var ids: [String] = []
            for number in 0..<3 {
                let id = try await test.begin("l").id
                ids.append(id)
                _ = try await test.until(id) { label($0) == (number == 0 ? "Work" : "Exclusive") }
            }
            #expect(try await test.host.relations(run: ids[0]).heldLocks.map(\.key) == ["k"])
            #expect(
                try await test.host.relations(run: ids[2]).awaitedLocks
                    == [AwaitedLock(key: "k", holder: ids[0], ahead: 1)])
            for (number, id) in ids.enumerated() {
                _ = try await test.until(id) { label($0) == "Work" }
                for later in ids[(number + 1)...] {
                    #expect(label(try await test.host.run(id: later)) == "Exclusive")
                }
                test.clock.advance(milliseconds: 3_600_000)
                _ = try await test.until(id) { label($0) == "After" }
                #expect(try await test.host.relations(run: id).heldLocks.isEmpty)
                #expect(
                    try await test.host.state(workflow: "l", key: "last") == JSON.string(id).bytes)
            }
        }
    }

    @Test("What the function gives and raises comes out, and the lock is given back", arguments: Setting.all)
    func results(_ setting: Setting) async throws {
        let body = """
            local a, b = flow.lock("One", "k", function() return 1, 2 end)
            local ok, err = try(flow.lock, "Two", "k", function() flow.fail("broken") end)
            local c = flow.lock("Three", "k", function() return 3 end)
            return { a, b, ok == nil, err.message, c }
            """
        let test = try TestHost(setting, scripts: ["l.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("l").id
            #expect(try await test.end(id).result == [1, 2, true, "broken", 3])
            #expect(try await test.host.relations(run: id).heldLocks.isEmpty)
        }
    }

    @Test("An error that nothing catches tells its own line")
    func errorLine() async throws {
        let body = "flow.lock(\"One\", \"k\", function()\n  local t = nil\n  return t.x\nend)"
        let test = try TestHost(scripts: ["l.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("l").id
            let run = try await test.end(id)
            #expect(run.status == .attention)
            #expect(run.problem?["line"] == 4)
            #expect(run.problem?["script"] == "l.lua")
        }
    }

    @Test("A run that needs attention keeps its lock; cancelling it gives it back", arguments: Setting.all)
    func attention(_ setting: Setting) async throws {
        let bad = script("flow.lock(\"One\", \"k\", function() sleep(\"1h\") error(\"no\") end)")
        let good = script("return flow.lock(\"Two\", \"k\", function() return true end)")
        let test = try TestHost(setting, scripts: ["bad.lua": bad, "good.lua": good])
        try await test.run { test in
            let first = try await test.begin("bad").id
            _ = try await test.until(first) { label($0) == "Sleep" }
            let second = try await test.begin("good").id
            _ = try await test.run(second, reaches: .waiting)
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(first).status == .attention)
            #expect(try await test.host.relations(run: first).heldLocks.map(\.key) == ["k"])
            #expect(try await test.host.run(id: second).status == .waiting)
            _ = try await test.host.cancel(run: first, by: "ana")
            #expect(try await test.end(second).result == true)
        }
    }

    @Test("Who waits too long gets an error of its own kind, and leaves the queue", arguments: Setting.all)
    func timeout(_ setting: Setting) async throws {
        let impatient = script(
            """
            local ok, err = try(flow.lock, "Mine", "k", function() return true end, { timeout = "5m" })
            return { err.kind, err.code, err.step }
            """)
        let test = try TestHost(setting, scripts: ["l.lua": LockTests.holder, "i.lua": impatient])
        try await test.run { test in
            let first = try await test.begin("l").id
            _ = try await test.until(first) { label($0) == "Work" }
            let second = try await test.begin("i").id
            _ = try await test.run(second, reaches: .waiting)
            let third = try await test.begin("l").id
            _ = try await test.run(third, reaches: .waiting)
            test.clock.advance(milliseconds: 300_000)
            #expect(try await test.end(second).result == ["timeout", "PG2130", "Mine"])
            test.clock.advance(milliseconds: 3_300_000)
            _ = try await test.until(third) { label($0) == "Work" }
        }
    }

    @Test("A run can't wait for itself, and its branches take turns", arguments: Setting.all)
    func nesting(_ setting: Setting) async throws {
        let body = """
            local ok, err = try(flow.lock, "Outer", "k", function()
              parallel("In", { a = function() flow.lock("Inner", "k", function() end) end })
            end)
            local order = {}
            local function turn(name)
              return function()
                flow.lock("Turn", "k", function()
                  order[#order + 1] = name .. " in"
                  sleep("1h")
                  order[#order + 1] = name .. " out"
                end)
              end
            end
            parallel("Turns", { a = turn("a"), b = turn("b") })
            return { err.code, order }
            """
        let test = try TestHost(setting, scripts: ["l.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("l").id
            for branch in ["Turns/a", "Turns/b"] {
                _ = try await test.until(id) { run in
                    run.waits.contains { $0.kind == .timer && $0.address.path == branch }
                }
                test.clock.advance(milliseconds: 3_600_000)
            }
            #expect(try await test.end(id).result == ["PG1134", ["a in", "a out", "b in", "b out"]])
        }
    }

    @Test("A cancelled run gives its lock back, and one that is stopped in the queue leaves it")
    func cancelled() async throws {
        let test = try TestHost(scripts: ["l.lua": LockTests.holder])
        try await test.run { test in
            var ids: [String] = []
            for number in 0..<3 {
                ids.append(try await test.begin("l").id)
                _ = try await test.until(ids[number]) { label($0) == (number == 0 ? "Work" : "Exclusive") }
            }
            _ = try await test.host.cancel(run: ids[1], by: "ana")
            #expect(try await test.end(ids[1]).status == .cancelled)
            _ = try await test.host.cancel(run: ids[0], by: "ana")
            _ = try await test.until(ids[2]) { label($0) == "Work" }
        }
    }

    @Test("A branch that is stopped while it queues leaves what it may have got", arguments: Setting.all)
    func stoppedBranch(_ setting: Setting) async throws {
        let body = """
            local _, err = try(parallel, "P", {
              queue = function() flow.lock("Queue", "k", function() end) end,
              fail = function() sleep("Soon", "10m") flow.fail("stop") end,
            }, { on_error = "stop" })
            sleep("After", "9d")
            """
        let test = try TestHost(setting, scripts: ["l.lua": LockTests.holder, "p.lua": script(body)])
        try await test.run { test in
            let first = try await test.begin("l").id
            _ = try await test.until(first) { label($0) == "Work" }
            let second = try await test.begin("p").id
            _ = try await test.until(second) { $0.waits.count == 2 }
            let third = try await test.begin("l").id
            _ = try await test.run(third, reaches: .waiting)
            test.clock.advance(milliseconds: 600_000)
            _ = try await test.until(second) { label($0) == "After" }
            test.clock.advance(milliseconds: 3_000_000)
            _ = try await test.until(third) { label($0) == "Work" }
        }
    }

    @Test("A run that is taken up right after it gave a lock back goes on", arguments: Setting.all)
    func takenUp(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/2")
        let body = """
            flow.lock("Exclusive", "k", function() \(RetryTests.post("First", "1")) end)
            http.post("Send", { url = "https://a.example/2", retry = { "3h", "3h" } })
            return 1
            """
        let test = try TestHost(setting, scripts: ["l.lua": script(body)], world: broken.world)
        try await test.run { test in
            let id = try await test.begin("l").id
            try await test.untilRetryWaits(1)
            _ = try await test.host.act(on: id, .pause, by: "ana")
            _ = try await test.run(id, reaches: .paused)
            broken.mend()
            _ = try await test.host.act(on: id, .resume, by: "ana")
            test.clock.advance(milliseconds: 14_400_000)
            #expect(try await test.run(id, reaches: .completed).result == 1)
        }
    }

    @Test("A lock that a person took back with its step is given back when the run is taken up")
    func takenBack() {
        func entry(_ sequence: Int, _ fact: Fact) -> Entry {
            Entry(sequence: sequence, recordedAt: Timestamp(milliseconds: 0), fact: fact)
        }
        let step = Step(
            address: StepAddress(label: "L", occurrence: 1), verb: "flow.lock", arguments: [], line: 1)
        let opened = entry(2, .waitOpened(step, wait: "run_1/2"))
        #expect(Lock.takenBack([opened]).isEmpty)
        #expect(Lock.takenBack([opened, entry(3, .reset([]))]).isEmpty)
        #expect(Lock.takenBack([opened, entry(3, .reset([2]))]) == ["run_1/2"])
    }
}
