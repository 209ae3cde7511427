import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("Retention", .timeLimit(.minutes(5)))
struct RetentionTests {
    private static let day: Int64 = 86_400_000

    private static let scripts = [
        "plain.lua": script("return 1", options: "on = { event = \"go\" },"),
        "long.lua": script("return 1", options: "on = { event = \"go\" }, keep = \"90d\","),
        "ever.lua": script("return 1", options: "on = { event = \"go\" }, keep = \"forever\","),
        "waits.lua": script(
            "wait.event(\"Late\", { event = \"late\" }) return 1", options: "on = { event = \"go\" },"),
    ]

    /// Moves the clock until the host has removed these runs.
    private func untilGone(_ test: TestHost, _ ids: [String]) async throws {
        for id in ids {
            while try await test.journal.run(id: id) != nil {
                test.clock.advance(milliseconds: 3_600_000)
                await Task.yield()
            }
        }
    }

    @Test(
        "ended runs go after 30 days or when their script says, and those that have not ended stay",
        arguments: Setting.all)
    func keeps(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: RetentionTests.scripts)
        try await test.run { test in
            let begin = test.clock.now
            var runs: [String: String] = [:]
            for id in try await test.send("go", [:]).runs {
                let run = try await test.host.run(id: id)
                runs[run.workflow] = id
                if run.workflow != "waits" { _ = try await test.end(id) }
            }
            let plain = try #require(runs["plain"])
            _ = try await test.run(try #require(runs["waits"]), reaches: .waiting)
            test.clock.advance(milliseconds: 29 * RetentionTests.day)
            #expect(try await test.host.run(id: plain).status == .completed)
            try await untilGone(test, [plain])
            #expect(test.clock.now.milliseconds - begin.milliseconds >= 30 * RetentionTests.day)
            #expect(try await test.host.runs(RunQuery(namespace: "default")).runs.count == 3)
            test.clock.advance(milliseconds: 59 * RetentionTests.day)
            try await untilGone(test, [try #require(runs["long"])])
            #expect(test.clock.now.milliseconds - begin.milliseconds >= 90 * RetentionTests.day)
            let left = try await test.host.runs(RunQuery(namespace: "default")).runs
            #expect(Set(left.map(\.workflow)) == ["ever", "waits"])
            _ = try await test.send("late", [:])
            #expect(try await test.end(try #require(runs["waits"])).status == .completed)
        }
    }

    @Test("many runs go in batches, and the host works on meanwhile", arguments: Setting.all)
    func batches(_ setting: Setting) async throws {
        let test = try TestHost(
            setting, scripts: ["w.lua": script("for i = 1, 30 do log.info(\"line\") end return input.n")]
        ) {
            $0.keep = .milliseconds(RetentionTests.day)
        }
        try await test.run { test in
            let starts = (0..<50).map { NewStart(workflow: "w", input: ["n": .int($0)]) }
            let ids = try await test.host.start(starts).map { try $0.get().id }
            for id in ids { _ = try await test.end(id) }
            test.clock.advance(milliseconds: RetentionTests.day)
            let late = try await test.begin("w", ["n": 9])
            #expect(try await test.end(late.id).result == 9)
            try await untilGone(test, ids)
        }
    }

    @Test("`keep` that is no duration is refused", arguments: ["90", "\"soon\"", "\"\""])
    func declarations(_ keep: String) async throws {
        let test = try TestHost(scripts: ["w.lua": script("return 1", options: "keep = \(keep),")])
        try await test.run { test in
            #expect(test.host.workflows.first?.error?.code == "PG1113")
        }
    }
}
