import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("flow.metric", .timeLimit(.minutes(5)))
struct MetricTests {
    @Test("A number is kept with the run and told, once, not again on replay", arguments: Setting.all)
    func kept(_ setting: Setting) async throws {
        let body = "flow.metric(\"orders.total_eur\", 12.5) sleep(\"1h\") flow.metric(\"lines\", 3) return 1"
        let test = try TestHost(setting, scripts: ["m.lua": script(body)])
        try await test.run { test in
            let activity = test.host.activity()
            let id = try await test.begin("m").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(id).status == .completed)
            let kept = try await test.host.history(run: id).annotations
            #expect(kept.map(\.kind) == [.metric, .metric])
            #expect(kept.map(\.text) == ["orders.total_eur", "lines"])
            #expect(kept.compactMap { $0.data.flatMap { try? JSON(parsing: $0) }?["value"] } == [12.5, 3])
            var told: [String: Double] = [:]
            for await event in activity {
                if case .metric(let run, let workflow, let name, let value) = event {
                    #expect(run == id && workflow == "m")
                    #expect(told.updateValue(value, forKey: name) == nil)
                }
                if told.count == 2 { break }
            }
            #expect(told == ["orders.total_eur": 12.5, "lines": 3])
        }
    }

    @Test(
        "A name or a number that monitoring can't take is refused",
        arguments: [
            ("\"Orders\", 1", "PG1135"), ("\"1st\", 1", "PG1135"), ("\"a b\", 1", "PG1135"),
            ("\"a..b\", 1", "PG1135"), ("\"a.\", 1", "PG1135"), ("\"\", 1", "PG1135"),
            ("(\"a\"):rep(101), 1", "PG1135"), ("\"a\", 1/0", "PG1135"), ("\"a\", 0/0", "PG1135"),
            ("\"a\", \"1\"", "PG1011"), ("1, 1", "PG1011"),
        ])
    func refused(_ arguments: String, _ code: String) async throws {
        let test = try TestHost(scripts: ["m.lua": script("flow.metric(\(arguments))")])
        try await test.run { test in
            let id = try await test.begin("m").id
            #expect(try await test.end(id).problem?["code"] == .string(code))
        }
    }
}
