@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("Forks", .timeLimit(.minutes(5)))
struct ForkTests {
    private static let body = script(
        """
        local id = flow.uuid()
        local day = flow.now()
        \(RetryTests.post("First", "1"))
        if flow.now() < day or id ~= flow.run.trigger.id then end
        ask.approval("OK " .. id, {})
        \(RetryTests.post("Second", "2"))
        return { id = id, day = day, n = input.n }
        """)

    @Test("a fork begins with what was done before the step, and the old run stays", arguments: Setting.all)
    func fork(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["a.lua": ForkTests.body])
        try await test.run { test in
            let old = try await test.begin("a", ["n": 1], key: "k").id
            try await approve(old, test)
            let first = try await test.run(old, reaches: .completed)
            test.clock.advance(milliseconds: 86_400_000)
            let label = try #require(first.result?["id"]?.string).isEmpty ? "" : "Second"
            let cut = RunFork(from: StepReference(label: label))
            let preview = try await test.host.preview(cut, of: old)
            #expect(preview.sendsAgain.map(\.target) == ["POST a.example/2"])
            let new = try await test.host.fork(run: old, cut, by: "ana", reason: "again")
            #expect(new.key == nil)
            #expect(new.correlationID == first.correlationID)
            let again = try await test.run(new.id, reaches: .completed)
            #expect(again.result == first.result)
            #expect(test.world.calls.map { $0.suffix(2) } == ["/1", "/2", "/2"])
            let keys = test.world.requests.map { $0.header("Idempotency-Key") }
            #expect(keys[1] != keys[2])
            #expect(try await test.host.run(id: old) == first)
            let record = try #require(try await test.host.audit(run: old).records.first)
            #expect(record.action == "fork")
            #expect(record.after.flatMap { try? JSON(parsing: $0) }?["run"]?.string == new.id)
            // A fork of a fork sees the same, too.
            let third = try await test.host.fork(run: new.id, cut, by: "ana")
            #expect(try await test.run(third.id, reaches: .completed).result == first.result)
        }
    }

    @Test("a fork from the beginning takes another input and version", arguments: Setting.all)
    func edited(_ setting: Setting) async throws {
        let test = try TestHost(
            setting,
            scripts: ["a.lua": script("return { 1, input.n }", options: "input = { n = \"number\" },")])
        try await test.run { test in
            let old = try await test.result(of: "a", ["n": 1])
            try await test.save(
                "a.lua", script("return { 2, input.n }", options: "input = { n = \"number\" },"))
            func result(_ fork: RunFork) async throws -> JSON? {
                try await test.run(
                    try await test.host.fork(run: old.id, fork, by: "ana").id, reaches: .completed
                ).result
            }
            #expect(try await result(RunFork(input: ["n": 5])) == [1, 5])
            #expect(try await result(RunFork(version: .newest)) == [2, 1])
            #expect(try await result(RunFork(version: .number(1), key: "k")) == [1, 1])
            func refusal(_ fork: RunFork) async -> String? {
                await #expect(throws: HostError.self) {
                    try await test.host.fork(run: old.id, fork, by: "ana")
                }?.code
            }
            #expect(await refusal(RunFork(key: "k")) == "PG4139")
            #expect(await refusal(RunFork(version: .number(9))) == "PG4138")
            #expect(await refusal(RunFork(input: ["n": "x"])) == "PG4022")
            #expect(await refusal(RunFork(from: StepReference(label: "None"))) == "PG4134")
        }
    }

    @Test("a fork whose script goes another way before the step is refused")
    func diverging() async throws {
        let body =
            "if input.n == 1 then \(RetryTests.post("First", "1")) end \(RetryTests.post("Second", "2"))"
        let test = try TestHost(scripts: ["a.lua": script(body)])
        try await test.run { test in
            let old = try await test.result(of: "a", ["n": 1])
            let error = await #expect(throws: HostError.self) {
                try await test.host.fork(
                    run: old.id, RunFork(from: StepReference(label: "Second"), input: ["n": 2]), by: "ana")
            }
            #expect(error?.code == "PG4132")
        }
    }

    private func approve(_ id: String, _ test: TestHost) async throws {
        let wait = try #require(try await test.run(id, reaches: .waiting).waits.first)
        _ = try await test.host.decide(approval: wait.id, outcome: "approve", by: "ana")
    }
}
