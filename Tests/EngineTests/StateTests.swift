@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("flow.state", .timeLimit(.minutes(5)))
struct StateTests {
    private func result(_ setting: Setting, sleeps: Bool = false, _ body: String) async throws -> (
        run: RunRecord, host: TestHost
    ) {
        let test = try TestHost(setting, scripts: ["s.lua": script(body)])
        var ended: RunRecord?
        try await test.run { test in
            let id = try await test.begin("s").id
            if sleeps {
                _ = try await test.run(id, reaches: .waiting)
                test.clock.advance(milliseconds: 3_600_000)
            }
            ended = try await test.end(id)
        }
        return (try #require(ended), test)
    }

    @Test("A run sees what it wrote, before and after it is durable", arguments: Setting.all)
    func ownWrites(_ setting: Setting) async throws {
        let (run, _) = try await result(
            setting, sleeps: true,
            """
            local s = flow.state
            local seen = { s.get("n") == nil }
            s.set("n", { a = 1 })
            seen[2] = s.get("n").a
            s.set("n", 5) s.add("n", 2)
            seen[3] = s.get("n")
            s.add("m", 3)
            seen[4] = s.get("m")
            sleep("1h")
            s.add("m", 0.5)
            seen[5] = s.get("m")
            s.delete("n")
            seen[6] = s.get("n") == nil
            return seen
            """)
        #expect(run.result == [true, 1, 7, 3, 3.5, true])
    }

    @Test(
        "What one run wrote another one of the workflow reads, and no other workflow", arguments: Setting.all)
    func shared(_ setting: Setting) async throws {
        let test = try TestHost(
            setting,
            scripts: [
                "a.lua": script("flow.state.add(\"n\", input.by) return flow.state.get(\"n\")"),
                "b.lua": script("return flow.state.get(\"n\") == nil"),
            ])
        try await test.run { test in
            for (by, expected) in [(2, 2), (3, 5), (-5, 0)] as [(Int64, Int64)] {
                let id = try await test.begin("a", ["by": .int(by)]).id
                #expect(try await test.end(id).result == .int(expected))
            }
            let other = try await test.begin("b").id
            #expect(try await test.end(other).result == true)
            #expect(try await test.host.state(workflow: "a", key: "n") == JSON.int(0).bytes)
        }
    }

    @Test("Runs that add at the same time lose nothing", arguments: Setting.all)
    func concurrent(_ setting: Setting) async throws {
        let body = """
            flow.state.add("n", 1)
            parallel("Both", { a = function() flow.state.add("n", 1) sleep("A", "1h") flow.state.add("n", 1) end,
                               b = function() flow.state.add("n", 1) end })
            return true
            """
        let test = try TestHost(setting, scripts: ["a.lua": script(body)])
        try await test.run { test in
            var ids: [String] = []
            for _ in 0..<10 { ids.append(try await test.begin("a").id) }
            for id in ids { _ = try await test.run(id, reaches: .waiting) }
            test.clock.advance(milliseconds: 3_600_000)
            for id in ids { #expect(try await test.end(id).status == .completed) }
            #expect(try await test.host.state(workflow: "a", key: "n") == JSON.int(40).bytes)
        }
    }

    @Test("A replay gives what was read, though the value has changed since", arguments: Setting.all)
    func recorded(_ setting: Setting) async throws {
        let test = try TestHost(
            setting,
            scripts: [
                "a.lua": script(
                    """
                    if input.set then flow.state.set("v", input.set) return true end
                    local first = flow.state.get("v")
                    sleep("1h")
                    return { first, flow.state.get("v") }
                    """)
            ])
        try await test.run { test in
            let set = { (value: JSON) in
                let id = try await test.begin("a", ["set": value]).id
                _ = try await test.end(id)
            }
            try await set("old")
            let id = try await test.begin("a").id
            _ = try await test.run(id, reaches: .waiting)
            try await set("new")
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(id).result == ["old", "new"])
        }
    }

    @Test("Reads and writes cost no commit of their own")
    func commits() async throws {
        let (run, test) = try await result(
            Setting(isSQLite: false, alwaysEvict: false),
            "for i = 1, 20 do flow.state.add(\"n\", 1) flow.state.get(\"other\") end return 1")
        #expect(run.status == .completed && run.entryCount == 40)
        let history = try #require(try await test.journal.history(run: run.id))
        #expect(history.entries.last?.sequence == 40)
        #expect(Set(history.entries.map(\.fact).compactMap(\.verb)) == ["flow.state.add", "flow.state.get"])
    }

    @Test(
        "What can't be kept is refused where it is written",
        arguments: [
            ("flow.state.set(\"\", 1)", "PG1132"), ("flow.state.get((\"x\"):rep(513))", "PG1132"),
            ("flow.state.set(\"k\", (\"x\"):rep(262144))", "PG1133"), ("flow.state.set(\"k\")", "PG1011"),
            ("flow.state.add(\"k\", \"1\")", "PG1011"), ("flow.state.get(7)", "PG1011"),
            ("flow.state.set(\"k\", print)", "PG1020"), ("flow.stat.get(\"k\")", "PG1003"),
        ])
    func refusals(_ line: String, _ code: String) async throws {
        let (run, test) = try await result(Setting(isSQLite: false, alwaysEvict: false), line)
        #expect(run.status == .attention)
        #expect(run.problem?["code"] == .string(code))
        #expect(run.entryCount == 0)
        #expect(try await test.journal.state(namespace: "default", workflow: "s", key: "k") == nil)
    }

    @Test("Nothing is added to what is no number, and the run shows it", arguments: Setting.all)
    func noNumber(_ setting: Setting) async throws {
        let (run, test) = try await result(
            setting, "flow.state.set(\"t\", \"x\") flow.state.add(\"t\", 1) return flow.state.get(\"t\")")
        #expect(run.result == "x")
        if !setting.isSQLite {
            let notes = try #require(try await test.journal.history(run: run.id)).annotations
            #expect(notes.map(\.level) == ["error"])
        }
    }

    @Test("What the run's own writes tell of a value needs no store")
    func overlay() {
        let set = StateWrite(key: "k", change: .set(JSON.int(1).bytes))
        let add = StateWrite(key: "k", change: .add(2))
        let gone = StateWrite(key: "k", change: .delete)
        let other = StateWrite(key: "o", change: .delete)
        #expect(StateValue.known("k", after: []) == .untouched)
        #expect(StateValue.known("k", after: [other]) == .untouched)
        #expect(StateValue.known("k", after: [add]) == .changed)
        #expect(StateValue.known("k", after: [add, set, add, other]) == .value(JSON.int(3).bytes))
        #expect(StateValue.known("k", after: [set, gone]) == .value(nil))
        #expect(StateValue.known("k", after: [gone, add]) == .value(JSON.int(2).bytes))
    }
}

extension Fact {
    var verb: String? {
        switch self {
        case .stepCompleted(let step, _, _, _), .waitOpened(let step, _, _), .attemptBegun(let step):
            step.verb
        default: nil
        }
    }
}
