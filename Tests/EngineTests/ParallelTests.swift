@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

/// Holds calls back until the test lets them go, one by one.
final class HeldCalls: Sendable {
    private let gates = Mutex<[String: Readiness]>([:])
    private let begun = Mutex<[String]>([])

    func gate(_ name: String) -> Readiness {
        gates.withLock { gates in
            if let found = gates[name] { return found }
            let made = Readiness()
            gates[name] = made
            return made
        }
    }

    var names: [String] { begun.withLock { $0 } }

    func register(on host: WorkflowHost) {
        host.register("held") { (name: String, _: CallContext) async in
            self.begun.withLock { $0.append(name) }
            await self.gate(name).wait()
            return name
        }
    }

    func untilBegun(_ count: Int) async {
        while names.count < count { await Task.yield() }
    }
}

@Suite("parallel", .timeLimit(.minutes(5)))
struct ParallelTests {
    @Test("gives each branch's result, and goes on when the last has ended", arguments: Setting.all)
    func results(_ setting: Setting) async throws {
        let body = """
            local r = parallel("Both", {
              a = function() return http.get("Call", { url = "https://a.example/1" }).json.n end,
              b = function() sleep("Nap", "1h") return wait.event("Paid", { event = "paid" }).data.n end,
              c = function() emit("told", {}) return 3 end,
              d = function() return nil end,
            })
            return { r.a.value, r.b.value, r.c.value, r.d.ok, r.d.value == nil, flow.uuid() }
            """
        let world = FakeWorld { _ in .json(200, #"{"n":1}"#) }
        let test = try TestHost(setting, scripts: ["p.lua": script(body)], world: world)
        try await test.run { test in
            let id = try await test.begin("p").id
            _ = try await test.until(id) { $0.status == .waiting }
            test.clock.advance(milliseconds: 3_600_000)
            _ = try await test.until(id) { $0.status == .waiting && $0.waits.first?.address.label == "Paid" }
            _ = try await test.send("paid", ["n": 2])
            let run = try await test.end(id)
            #expect(run.result?.array?.prefix(5) == [1, 2, 3, true, true])
            let entries = try await test.host.history(run: id).entries
            let addresses = entries.compactMap { entry -> String? in
                if case .stepCompleted(let step, _, _, _) = entry.fact { "\(step.address)" } else { nil }
            }
            #expect(
                Set(addresses) == ["/Both/a/Call#1", "/Both/b/Nap#1", "/Both/b/Paid#1", "/Both/c/told#1"])
            #expect(world.requests.count == 1)
        }
    }

    @Test(
        "is the same in a replay, in whatever order the world answers",
        arguments: [["a", "b", "c"], ["c", "a", "b"]])
    func order(_ order: [String]) async throws {
        let body = """
            local log = {}
            local function branch(name)
              return function()
                call("First", "held", name)
                log[#log + 1] = name .. ":" .. flow.random(1000000)
                call("Second", "held", name .. "2")
                log[#log + 1] = name .. "2:" .. flow.uuid()
              end
            end
            parallel("All", { a = branch("a"), b = branch("b"), c = branch("c") })
            sleep("1h")
            return log
            """
        let held = HeldCalls()
        let journal = MemoryJournal()
        let test = try TestHost(scripts: ["o.lua": script(body)], journal: journal)
        held.register(on: test.host)
        var before: JSON?
        let id = try await {
            try await test.start()
            let id = try await test.begin("o").id
            await held.untilBegun(3)
            #expect(held.names.sorted() == ["a", "b", "c"])
            for (index, name) in order.enumerated() {
                held.gate(name).open()
                await held.untilBegun(4 + index)
                #expect(held.names.last == name + "2")
            }
            for name in order.reversed() { held.gate(name + "2").open() }
            _ = try await test.run(id, reaches: .waiting)
            before = JSON.array(try await test.host.history(run: id).entries.map { .string("\($0.fact)") })
            try await test.stop()
            return id
        }()
        // Another host replays the run from nothing but its journal.
        let clock = test.clock
        let next = try TestHost(scripts: [:], clock: clock, journal: journal, folder: test.folder)
        try await next.run { next in
            clock.advance(milliseconds: 3_600_000)
            let run = try await next.end(id)
            #expect(run.status == .completed)
            let names = run.result?.array?.compactMap {
                $0.string?.split(separator: ":").first.map(String.init)
            }
            #expect(names?.prefix(3) == order.prefix(3))
            let entries = try await next.host.history(run: id).entries
            #expect(JSON.array(entries.dropLast().map { .string("\($0.fact)") }) == before)
        }
    }

    @Test("on_error decides what a failure does to the others", arguments: Setting.all)
    func onError(_ setting: Setting) async throws {
        func body(_ mode: String) -> String {
            """
            local r, err = try(parallel, "All", {
              bad = function() http.get("Fail", { url = "https://a.example/bad", retry = { max_attempts = 1 } }) end,
              good = function()
                sleep("1h")
                http.post("After", { url = "https://a.example/after" })
                return 1
              end,
            }, { on_error = "\(mode)" })
            if err then return { err.kind, err.status } end
            return { r.bad.error.status, r.good.value }
            """
        }
        let world = FakeWorld { request in request.url.hasSuffix("bad") ? .json(500, "{}") : .json(200, "{}")
        }
        let test = try TestHost(
            setting,
            scripts: [
                "w.lua": script(body("wait")), "s.lua": script(body("stop")),
                "c.lua": script(body("continue")),
            ],
            world: world)
        try await test.run { test in
            let stopped = try await test.result(of: "s")
            #expect(stopped.result == ["http", 500])
            #expect(world.calls == ["GET https://a.example/bad"])
            let others = [try await test.begin("w").id, try await test.begin("c").id]
            for id in others { _ = try await test.run(id, reaches: .waiting) }
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(others[0]).result == ["http", 500])
            #expect(try await test.end(others[1]).result == [500, 1])
            #expect(world.calls.filter { $0.contains("after") }.count == 2)
        }
    }

    @Test("nests, and runs at most at_once branches at a time")
    func atOnce() async throws {
        let body = """
            local function three() return { function() call("C", "held", "x") end, function() call("C", "held", "y") end } end
            local r = parallel("Outer", {
              one = function() return parallel("Inner", three(), { at_once = 1 }) end,
              two = function() call("C", "held", "z") end,
            })
            return { r.one.value[1].ok, r.one.value[2].ok, r.two.ok }
            """
        let held = HeldCalls()
        let test = try TestHost(scripts: ["n.lua": script(body)])
        held.register(on: test.host)
        try await test.run { test in
            let id = try await test.begin("n").id
            await held.untilBegun(2)
            #expect(held.names.sorted() == ["x", "z"])
            held.gate("x").open()
            await held.untilBegun(3)
            held.gate("y").open()
            held.gate("z").open()
            #expect(try await test.end(id).result == [true, true, true])
        }
    }

    @Test(
        "says what is wrong with its arguments",
        arguments: [
            ("parallel(\"P\", { a = 1 })", "PG1011"),
            ("parallel(\"P\", { a = print }, { on_error = \"stopp\" })", "PG1011"),
            ("parallel(\"P\", {}, { at_once = 0 })", "PG1011"),
            ("parallel(\"P\", {}, { atonce = 1 })", "PG1005"),
            ("parallel({})", "PG1011"),
        ])
    func arguments(_ call: String, _ code: String) async throws {
        let test = try TestHost(scripts: ["p.lua": script(call)])
        try await test.run { test in
            let run = try await test.result(of: "p")
            #expect(run.status == .attention)
            #expect(run.problem?["code"]?.string == code)
        }
    }

    @Test("an empty list of branches is done at once")
    func empty() async throws {
        let test = try TestHost(scripts: ["p.lua": script("return { next(parallel(\"P\", {})) == nil }")])
        try await test.run { test in
            let run = try await test.result(of: "p")
            #expect(run.result == [true])
        }
    }
}
