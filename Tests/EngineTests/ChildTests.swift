@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

@Suite("flow.call and flow.start", .timeLimit(.minutes(5)))
struct ChildTests {
    private static let child = script(
        """
        if input.wait then sleep(input.wait) end
        if input.fail then flow.fail("no good", { n = 1 }) end
        if input.stop then flow.stop("not needed") end
        return { got = input.value }
        """, options: "input = { value = \"integer?\", wait = \"string?\" },")

    private func outcome(_ test: TestHost, _ body: String) async throws -> (run: RunRecord, result: JSON?) {
        try TestHost.write(script(body), to: "p.lua", in: test.scripts)
        var ended: RunRecord?
        try await test.run { test in
            let id = try await test.begin("p").id
            ended = try await test.end(id)
        }
        return (try #require(ended), ended?.result)
    }

    @Test("A call gives the result, and the child knows what started it", arguments: Setting.all)
    func result(_ setting: Setting) async throws {
        let test = try TestHost(
            setting,
            scripts: [
                "c.lua": ChildTests.child,
                "p.lua": script("return flow.call(\"Ask\", \"c\", { value = 7, wait = \"1h\" }).got"),
            ])
        try await test.run { test in
            let parent = try await test.begin("p")
            let waiting = try await test.run(parent.id, reaches: .waiting)
            guard case .child(let id)? = waiting.waits.first?.kind else {
                Issue.record("\(waiting.waits)")
                return
            }
            let child = try await test.run(id, reaches: .waiting)
            #expect(child.parent?.run == parent.id && child.parent?.step.label == "Ask")
            #expect(child.parent?.onEnd == .cancel && child.parent?.depth == 1)
            #expect(child.correlationID == parent.correlationID)
            let trigger = try JSON(parsing: child.trigger)
            #expect(
                trigger["type"] == "run" && trigger["run"] == .string(parent.id) && trigger["step"] == "Ask")
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(parent.id).result == 7)
            let relations = try await test.host.relations(run: parent.id)
            #expect(relations.childCount == 1 && relations.children.map(\.id) == [id])
            #expect(relations.children.map(\.status) == [.completed])
        }
    }

    @Test(
        "A child that does not complete is an error with its reason, its id and its status",
        arguments: Setting.all)
    func failures(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["c.lua": ChildTests.child])
        let (_, result) = try await outcome(
            test,
            """
            local list = {}
            for index, input in ipairs { { fail = true }, { stop = true } } do
              local _, err = try(flow.call, "Ask " .. index, "c", input)
              list[index] = { err.code, err.kind, err.status, err.message, err.child ~= nil, err.cause ~= nil }
            end
            return list
            """)
        #expect(
            result == [
                ["PG2133", "failed", "failed", "\"Ask 1\" is failed: no good", true, true],
                ["PG2133", "stopped", "stopped", "\"Ask 2\" is stopped: not needed", true, false],
            ])
    }

    @Test(
        "What can't be started is an error at the call",
        arguments: [
            ("\"d\", {}", "PG1130"), ("\"c\", { value = \"x\" }", "PG1131"),
            ("\"c\", {}, { key = \"\" }", "PG1132"), ("\"c\", {}, { on_parent_end = \"cancle\" }", "PG1011"),
            ("\"c\", {}, { tiemout = \"1h\" }", "PG1005"), ("{}", "PG1011"),
        ])
    func refused(_ arguments: String, _ code: String) async throws {
        let test = try TestHost(scripts: ["c.lua": ChildTests.child])
        let (run, _) = try await outcome(test, "flow.call(\"Ask\", \(arguments))")
        #expect(run.status == .attention)
        #expect(run.problem?["code"] == .string(code))
        if code == "PG1130" { #expect(run.problem?["hint"]?.string?.contains("Did you mean") == true) }
    }

    @Test(
        "A started run has its id before the script goes on, and goes on without its parent",
        arguments: Setting.all)
    func started(_ setting: Setting) async throws {
        let body = """
            local a = flow.start("One", "c", { value = 1, wait = "1h" })
            local b = flow.start("Later", "c", { value = 2 }, { after = "2h" })
            return { a, b }
            """
        let test = try TestHost(setting, scripts: ["c.lua": ChildTests.child, "p.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("p").id
            let ids = try await test.end(id).result?.array?.compactMap(\.string) ?? []
            #expect(ids.count == 2)
            _ = try await test.run(ids[0], reaches: .waiting)
            #expect(try await test.host.run(id: ids[1]).status == .queued)
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(ids[0]).result == ["got": 1])
            #expect(try await test.host.run(id: ids[1]).status == .queued)
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(ids[1]).result == ["got": 2])
        }
    }

    @Test(
        "A key names one run: started twice it is the same, and two calls get its result",
        arguments: Setting.all)
    func keys(_ setting: Setting) async throws {
        let body = """
            local a = flow.start("One", "c", { value = 1 }, { key = "k" })
            local b = flow.start("Two", "c", { value = 2 }, { key = "k" })
            local c = flow.call("Three", "c", { value = 3 }, { key = "k" })
            local d = flow.call("Four", "c", { value = 4 }, { key = "k" })
            return { a == b, c.got, d.got }
            """
        let test = try TestHost(setting, scripts: ["c.lua": ChildTests.child])
        let (_, result) = try await outcome(test, body)
        #expect(result == [true, 1, 1])
    }

    @Test("A run can't wait for itself, nor start itself without end", arguments: Setting.all)
    func loops(_ setting: Setting) async throws {
        let deep = script(
            """
            local result, err = try(flow.call, "Deeper", "deep", { n = input.n + 1 })
            if err then return { input.n, err.code } end
            return result
            """)
        let own = script(
            "local _, err = try(flow.call, \"Me\", \"own\", {}, { key = \"k\" }) return err.code")
        let test = try TestHost(setting, scripts: ["deep.lua": deep, "own.lua": own])
        try await test.run { test in
            let first = try await test.begin("own", key: "k").id
            #expect(try await test.end(first).result == "PG2135")
            let second = try await test.begin("deep", ["n": 0]).id
            #expect(try await test.end(second).result == [50, "PG2131"])
        }
    }

    @Test(
        "A key that its workflow refuses is an error, and a queue behind the caller is none",
        arguments: Setting.all)
    func conflicts(_ setting: Setting) async throws {
        let once = script("return true", options: "key = \"k:{id}\", on_conflict = \"reject\",")
        let queued = script(
            "local _, err = try(flow.call, \"Me\", \"q\", { id = input.id }) return err.code",
            options: "key = \"k:{id}\", on_conflict = \"queue\",")
        let test = try TestHost(setting, scripts: ["once.lua": once, "q.lua": queued])
        let body = """
            local id = flow.start("First", "once", { id = 1 })
            local _, a = try(flow.start, "Second", "once", { id = 1 })
            local _, b = try(flow.call, "Third", "once", { id = 1 })
            return { a.code, a.child == id, b.code, b.kind, flow.call("Queue", "q", { id = 1 }) }
            """
        let (_, result) = try await outcome(test, body)
        #expect(result == ["PG2136", true, "PG2136", "conflict", "PG2135"])
    }

    @Test("A call that takes too long is an error, and the child goes on", arguments: Setting.all)
    func timeout(_ setting: Setting) async throws {
        let body = """
            local _, err = try(flow.call, "Ask", "c", { wait = "2h" }, { timeout = "1h", on_parent_end = "abandon" })
            return { err.code, err.kind }
            """
        let test = try TestHost(setting, scripts: ["c.lua": ChildTests.child, "p.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("p").id
            let waiting = try await test.run(id, reaches: .waiting)
            guard case .child(let child)? = waiting.waits.first?.kind else { return }
            _ = try await test.run(child, reaches: .waiting)
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(id).result == ["PG2134", "timeout"])
            #expect(try await test.host.run(id: child).status == .waiting)
        }
    }

    @Test("A parent that needs attention and is retried waits for the same run again", arguments: Setting.all)
    func retriedParent(_ setting: Setting) async throws {
        let child = script("sleep(\"Rest\", \"1h\") return 7")
        let body = """
            local both = parallel("Both", {
              function() return flow.call("Child", "c", {}) end,
              function()
                sleep("A bit", "1m")
                return http.get("Ask", { url = "https://a.example/", auth = secret "KEY" }).status
              end,
            })
            return { both[1].value, both[2].value }
            """
        let hasKey = Mutex(false)
        let test = try TestHost(setting, scripts: ["c.lua": child, "p.lua": script(body)]) { options in
            options.settings = Settings(
                secret: { _ in hasKey.withLock { $0 } ? "s3cret" : nil }, config: { _ in nil })
        }
        try await test.run { test in
            let id = try await test.begin("p").id
            _ = try await test.until(id) { $0.waits.count == 2 }
            test.clock.advance(milliseconds: 60_000)
            _ = try await test.run(id, reaches: .attention)
            test.clock.advance(milliseconds: 3_600_000)
            let query = RunQuery(namespace: test.host.namespace, workflows: ["c"], limit: 50)
            while try await test.journal.runs(query).runs.first?.status != .completed { await Task.yield() }
            hasKey.withLock { $0 = true }
            _ = try await test.host.act(on: id, .retry(.same), by: "ana")
            let result = try await test.run(id, reaches: .completed).result
            #expect(result == [7, 200], "\(result as Any)")
            #expect(try await test.journal.runs(query).runs.count == 1)
        }
    }

    @Test(
        "Children end as they were told when their parent ends, and theirs with them", arguments: Setting.all)
    func parentEnds(_ setting: Setting) async throws {
        let middle = script(
            "return flow.call(\"Below\", \"c\", { wait = \"9d\" })",
            options: "on_cancel = function() flow.note(\"bye\") end,")
        let body = """
            local ids = {}
            for _, policy in ipairs { "cancel", "abandon", "terminate" } do
              ids[#ids + 1] = flow.start("Start " .. policy, "m", {}, { on_parent_end = policy })
            end
            sleep("1h")
            return ids
            """
        let test = try TestHost(
            setting, scripts: ["c.lua": ChildTests.child, "m.lua": middle, "p.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("p").id
            _ = try await test.run(id, reaches: .waiting)
            let children = try await test.host.relations(run: id).children
            var below: [String] = []
            for child in children {
                let run = try await test.run(child.id, reaches: .waiting)
                guard case .child(let id)? = run.waits.first?.kind else { return }
                below.append(id)
                _ = try await test.run(id, reaches: .waiting)
            }
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(id).status == .completed)
            let cancelled = try await test.end(children[0].id)
            #expect(cancelled.status == .cancelled && cancelled.problem?["code"] == "PG2132")
            #expect(try await test.host.history(run: cancelled.id).annotations.map(\.text) == ["bye"])
            #expect(try await test.end(below[0]).status == .cancelled)
            #expect(try await test.host.run(id: children[1].id).status == .waiting)
            #expect(try await test.end(children[2].id).status == .terminated)
            #expect(try await test.end(below[2]).status == .cancelled)
        }
    }

    @Test("A cancelled parent's child is cancelled, whatever it is doing", arguments: Setting.all)
    func cancelled(_ setting: Setting) async throws {
        let test = try TestHost(
            setting,
            scripts: [
                "c.lua": ChildTests.child,
                "p.lua": script("return flow.call(\"Ask\", \"c\", { wait = \"9d\" })"),
            ])
        try await test.run { test in
            let id = try await test.begin("p").id
            let waiting = try await test.run(id, reaches: .waiting)
            guard case .child(let child)? = waiting.waits.first?.kind else { return }
            _ = try await test.run(child, reaches: .waiting)
            _ = try await test.host.cancel(run: id, by: "ana")
            #expect(try await test.end(id).status == .cancelled)
            #expect(try await test.end(child).status == .cancelled)
        }
    }

    @Test(
        "A parent, its children, a lock and a value survive a crash at every commit",
        arguments: [false, true])
    func everyCommit(_ after: Bool) async throws {
        let scripts = [
            "c.lua": script(
                """
                return flow.lock("Turn", "k", function()
                  sleep("1h")
                  flow.state.add("n", 1)
                  return flow.state.get("n")
                end)
                """),
            "p.lua": script(
                """
                flow.start("Aside", "c", {}, { key = "aside" })
                flow.state.add("begun", 1)
                local a = flow.call("First", "c", {})
                local b = flow.call("Second", "c", {})
                if not input.again then flow.continue { again = true, a = a, b = b } end
                return { input.a, input.b, a, b, flow.state.get("begun") }
                """),
        ]
        var commit = 1
        while commit < 60 {
            let store = MemoryJournal()
            let clock = ManualClock()
            let crashing = CrashingJournal(store, at: commit, after: after)
            let first = try TestHost(scripts: scripts, clock: clock, journal: crashing)
            try await first.start()
            let id = try await first.begin("p").id
            _ = try await push(first, id) { !crashing.hasCrashed }
            try await first.stop()
            guard crashing.hasCrashed else { break }
            clock.advance(milliseconds: 60_000)
            let second = try TestHost(scripts: [:], clock: clock, journal: store, folder: first.folder)
            try await second.run { test in
                let run = try #require(try await push(test, id) { true })
                let counts = run.result?.array?.prefix(4).compactMap(\.int) ?? []
                #expect(Set(counts).count == 4 && counts.max() ?? 9 <= 5, "crash at commit \(commit)")
                #expect(run.result?.array?.last == 2, "crash at commit \(commit)")
                let runs = try await test.host.runs(RunQuery(namespace: "default", limit: 500)).runs
                #expect(runs.count { $0.workflow == "c" } == 5, "crash at commit \(commit)")
                #expect(runs.count { $0.workflow == "p" } == 2, "crash at commit \(commit)")
            }
            commit += 1
        }
        #expect(commit > 12)
    }

    /// Moves the clock until the last of the runs that went on for this one has ended.
    private func push(_ test: TestHost, _ id: String, while goesOn: () -> Bool) async throws -> RunRecord? {
        var id = id
        while goesOn() {
            let run = try await test.host.run(id: id)
            if let next = run.continuedAs {
                id = next
            } else if run.status.isFinal || run.status == .attention {
                return run
            } else {
                let runs = try await test.host.runs(RunQuery(namespace: "default", limit: 500)).runs
                let now = test.clock.now
                let due = runs.flatMap(\.waits).compactMap(\.dueAt).filter { $0 > now }.min()
                if let due { test.clock.advance(milliseconds: due.milliseconds - now.milliseconds) }
            }
            await Task.yield()
        }
        return nil
    }
}
