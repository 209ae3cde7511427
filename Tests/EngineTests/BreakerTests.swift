import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("The breaker of a workflow", .timeLimit(.minutes(5)))
struct BreakerTests {
    @Test(
        "it queues what would begin, tries one run after its pause, and lets all go", arguments: Setting.all)
    func breaker(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/1", "/2", "/3")
        let body =
            "http.post(\"Send\", { url = \"https://a.example/\" .. input.id, retry = { max_attempts = 1 } })"
        let text = script(
            body,
            options: "on = { event = \"go\" }, breaker = { failures = 2, over = \"5m\", pause = \"15m\" },")
        let test = try TestHost(setting, scripts: ["a.lua": text], world: broken.world)
        try await test.run { test in
            for id in ["1", "2"] {
                let run = try #require(try await test.send("go", ["id": .string(id)]).runs.first)
                #expect(try await test.end(run).status == .attention)
            }
            var held: [String] = []
            for id in ["3", "4", "5"] {
                held.append(try #require(try await test.send("go", ["id": .string(id)]).runs.first))
            }
            // Nothing tells that a claim passed a run over.
            for id in held {
                while try await test.host.run(id: id).blockedBy?.kind != .breaker { await Task.yield() }
            }
            let until = try await test.host.run(id: held[0]).blockedBy?.until
            #expect(until == test.clock.now.adding(milliseconds: 900_000))
            test.clock.advance(milliseconds: 900_000)
            #expect(try await test.end(held[0]).status == .attention)
            #expect(try await test.host.run(id: held[1]).status == .queued)
            broken.mend()
            test.clock.advance(milliseconds: 900_000)
            for id in held.dropFirst() { _ = try await test.run(id, reaches: .completed) }
            #expect(test.world.calls.count == 5)
        }
    }

    @Test("what makes no sense is refused where it stands")
    func refused() async throws {
        let test = try TestHost(scripts: ["a.lua": script("return 1", options: "breaker = { ratio = 3 },")])
        try await test.run { test in
            let problem = test.host.workflows.first { $0.id == "a" }?.error
            #expect(problem?.message.contains("`ratio` is 3") == true)
        }
    }
}
