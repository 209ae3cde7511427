@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

@Suite("How a run ends", .timeLimit(.minutes(5)))
struct EndTests {
    private static let hooks = """
        on_cancel = function(input, err) http.post("Tell", { url = "https://a.example/cancelled/" .. err.by }) sleep("1m") end,
        on_failure = function(input, err) http.post("Tell", { url = "https://a.example/failed/" .. input.n .. err.code }) end,
        """

    @Test("on_cancel runs after a cancellation, whole", arguments: Setting.all)
    func onCancel(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["c.lua": script("sleep(\"1h\")", options: EndTests.hooks)])
        try await test.run { test in
            let id = try await test.begin("c").id
            _ = try await test.run(id, reaches: .waiting)
            _ = try await test.host.cancel(run: id, by: "ana")
            _ = try await test.until(id) { $0.waits.first?.address.path == "on_cancel" }
            test.clock.advance(milliseconds: 60_000)
            #expect(try await test.end(id).status == .cancelled)
            #expect(test.world.calls == ["POST https://a.example/cancelled/ana"])
        }
    }

    @Test("what is told of an end is what the store holds", arguments: Setting.all)
    func told(_ setting: Setting) async throws {
        let test = try TestHost(
            setting,
            scripts: [
                "done.lua": script(
                    "flow.tag({ region = \"emea\" }) flow.status(\"Almost\") emit(\"a\", {}) return { n = 1 }"
                ),
                "failed.lua": script("sleep(\"1h\") flow.fail(\"no\")", options: "timeout = \"9d\","),
                "stopped.lua": script("flow.stop(\"enough\")"),
                "again.lua": script("if not input.n then flow.continue { n = 1 } end"),
                "broken.lua": script("emit(\"a\", {}) error(\"oh\")"),
            ])
        try await test.run { test in
            for workflow in ["done", "failed", "stopped", "again", "broken"] {
                let id = try await test.begin(workflow).id
                async let told = test.host.waitForEnd(run: id, timeoutMilliseconds: .max)
                if workflow == "failed" {
                    _ = try await test.run(id, reaches: .waiting)
                    test.clock.advance(milliseconds: 3_600_000)
                }
                let run = try await told
                #expect(run.status == .attention || run.status.isFinal)
                #expect(try await test.host.run(id: id) == run)
            }
        }
    }

    private final class Tally: Sendable {
        let count = Mutex(0)
    }

    /// Waits for so many runs of which nothing is told, and counts who is woken.
    private func wait(
        for count: Int, _ waiters: EndWaiters, before deadline: Timestamp, _ woken: Tally,
        in group: inout TaskGroup<Void>
    ) {
        for number in 1...count {
            group.addTask {
                let waiter = waiters.waiter("run_\(number)")
                #expect(await waiters.wait(waiter, before: deadline) == nil)
                waiters.remove(waiter, of: "run_\(number)")
                woken.count.withLock { $0 += 1 }
            }
        }
    }

    @Test("of those who wait for runs in line, only some ask the store in each second, and each in its turn")
    func looks() async throws {
        let clock = ManualClock()
        let waiters = EndWaiters(ambient: clock)
        let woken = Tally()
        await withTaskGroup { group in
            wait(for: 600, waiters, before: clock.now.adding(milliseconds: 3_600_000), woken, in: &group)
            var seconds = 0
            while woken.count.withLock({ $0 }) < 600 {
                guard let next = clock.nextWake else {
                    await Task.yield()
                    continue
                }
                seconds += 1
                clock.advance(milliseconds: next.milliseconds - clock.now.milliseconds)
                #expect(woken.count.withLock { $0 } <= 256 * seconds)
            }
            #expect(seconds >= 3)
        }
    }

    @Test("whoever waits no longer than a moment is answered then, however many others wait")
    func deadlines() async throws {
        let clock = ManualClock()
        let waiters = EndWaiters(ambient: clock)
        await withTaskGroup { group in
            wait(for: 600, waiters, before: clock.now.adding(milliseconds: 500), Tally(), in: &group)
            while clock.nextWake == nil { await Task.yield() }
            clock.advance(milliseconds: 500)
        }
    }

    @Test("asked a second time, a run ends at once", arguments: Setting.all)
    func twice(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["c.lua": script("sleep(\"1h\")", options: EndTests.hooks)])
        try await test.run { test in
            let id = try await test.begin("c").id
            _ = try await test.run(id, reaches: .waiting)
            _ = try await test.host.cancel(run: id, by: "ana")
            _ = try await test.until(id) { $0.waits.first?.address.path == "on_cancel" }
            #expect(try await test.host.cancel(run: id, by: "bob").status == .terminated)
            test.clock.advance(milliseconds: 60_000)
            #expect(try await test.host.run(id: id).status == .terminated)
            #expect(test.world.calls.count == 1)
        }
    }

    @Test("a run that takes longer than its timeout unwinds and has timed out", arguments: Setting.all)
    func timeout(_ setting: Setting) async throws {
        let body = """
            saga("S", function(undo)
              undo("Undo", http.delete, { url = "https://a.example/u" })
              sleep("9d")
            end)
            """
        let test = try TestHost(setting, scripts: ["t.lua": script(body, options: "timeout = \"2h\",")])
        try await test.run { test in
            let id = try await test.begin("t").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 7_200_000)
            let run = try await test.end(id)
            #expect(run.status == .timed_out)
            #expect(run.problem?["code"] == "PG2061")
            #expect(run.problem?["message"]?.string?.contains("2h") == true)
            #expect(test.world.calls == ["DELETE https://a.example/u"])
        }
    }

    @Test("a call under way is broken off at the timeout")
    func timeoutInCall() async throws {
        let held = HeldCalls()
        let test = try TestHost(scripts: [
            "t.lua": script("call(\"C\", \"held\", \"x\")", options: "timeout = \"2h\",")
        ])
        held.register(on: test.host)
        try await test.run { test in
            let id = try await test.begin("t").id
            await held.untilBegun(1)
            test.clock.advance(milliseconds: 7_200_000)
            #expect(try await test.end(id).status == .timed_out)
        }
    }

    @Test(
        "on_failure runs when a run fails or needs attention", arguments: Setting.all,
        [("flow.fail(\"no\")", RunStatus.failed, "PG2001"), ("error(\"no\")", .attention, "PG1000")])
    func onFailure(_ setting: Setting, _ end: (call: String, status: RunStatus, code: String)) async throws {
        let test = try TestHost(
            setting, scripts: ["f.lua": script("sleep(\"1h\") " + end.call, options: EndTests.hooks)])
        try await test.run { test in
            let id = try await test.begin("f", ["n": 7]).id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 3_600_000)
            let run = try await test.end(id)
            #expect(run.status == end.status)
            #expect(run.problem?["code"]?.string == end.code)
            #expect(test.world.calls == ["POST https://a.example/failed/7\(end.code)"])
        }
    }

    @Test("a hook that fails is shown with the error that it was to tell")
    func failingHook() async throws {
        let options = "on_failure = function(_, err) error(\"hook\") end,"
        let test = try TestHost(scripts: ["f.lua": script("flow.fail(\"first\")", options: options)])
        try await test.run { test in
            let run = try await test.result(of: "f")
            #expect(run.status == .failed)
            #expect(run.problem?["message"] == "first")
            #expect(run.problem?["on_failure"]?["message"]?.string?.contains("hook") == true)
        }
    }
}
