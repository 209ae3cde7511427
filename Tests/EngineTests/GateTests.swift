import Foundation
@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

@Suite("What calls keep to at their destination", .timeLimit(.minutes(5)))
struct GateTests {
    /// A script whose calls go through a connector; it gives the path of the input.
    private static func connector(_ options: String, _ call: String = "") -> String {
        """
        local api = http.client { base = "https://a.example", \(options) }
        return workflow { name = "Test", run = function(input)
          return api.post("Send", { path = "/" .. input.id, \(call) })
        end }
        """
    }

    /// Answers when it is told to.
    private final class Held: Sendable {
        private let waiting = Mutex<[String: CheckedContinuation<Void, Never>]>([:])

        func hold(_ request: HTTPRequest) async {
            await withCheckedContinuation { answer in
                waiting.withLock { $0[String(request.url.split(separator: "/").last ?? "")] = answer }
            }
        }

        func answer(_ id: String) { waiting.withLock { $0.removeValue(forKey: id) }?.resume() }

        func answerAll() {
            let all = waiting.withLock { waiting in
                defer { waiting = [:] }
                return Array(waiting.values)
            }
            for answer in all { answer.resume() }
        }
    }

    private func paths(_ test: TestHost) -> [String] {
        test.world.calls.map { String($0.split(separator: "/").last ?? "") }
    }

    private func expectResult(_ test: TestHost, _ expected: JSON) async throws {
        let result = try await test.result(of: "a").result
        #expect(result == expected)
    }

    private func isInLine(_ run: RunRecord) -> Bool {
        run.waits.contains { if case .gate = $0.kind { true } else { false } }
    }

    @Test("a throttle is shared by all runs, and fair between workflows", arguments: Setting.all)
    func throttle(_ setting: Setting) async throws {
        let text = Self.connector("throttle = { limit = 1, period = \"10s\" }")
        let test = try TestHost(setting, scripts: ["many.lua": text, "few.lua": text])
        try await test.run { test in
            var ids: [String] = []
            ids.append(try await test.result(of: "many", ["id": "m1"]).id)
            for id in ["m2", "m3"] {
                ids.append(try await test.begin("many", ["id": .string(id)]).id)
                _ = try await test.until(ids[ids.count - 1], isInLine)
            }
            ids.append(try await test.begin("few", ["id": "f1"]).id)
            let waiting = try await test.until(ids[3], isInLine)
            #expect(waiting.status == .waiting)
            let gate = try #require(try await test.journal.relations(run: ids[3])?.awaitedGates.first)
            #expect(gate.key == "a.example" && gate.ahead == 2)
            #expect(gate.nextAt == test.clock.now.adding(milliseconds: 10_001))
            for next in [ids[3], ids[1], ids[2]] {
                test.clock.advance(milliseconds: 10_001)
                _ = try await test.run(next, reaches: .completed)
            }
            #expect(paths(test) == ["m1", "f1", "m2", "m3"])
        }
    }

    @Test("a throttle is kept over a restart, also for a call that was under way", arguments: Setting.all)
    func restart(_ setting: Setting) async throws {
        let text = Self.connector("throttle = { limit = 2, period = \"1m\" }")
        let held = Held()
        let world = FakeWorld(hold: { if $0.url.hasSuffix("slow") { await held.hold($0) } })
        let first = try TestHost(setting, scripts: ["a.lua": text], world: world) {
            $0.drainMilliseconds = 0
        }
        var ids: [String] = []
        try await first.run { test in
            ids.append(try await test.begin("a", ["id": "slow"]).id)
            await test.world.arrivals(1)
            ids.append(try await test.result(of: "a", ["id": "2"]).id)
            ids.append(try await test.begin("a", ["id": "3"]).id)
            _ = try await test.until(ids[2], isInLine)
        }
        held.answerAll()
        let second = try TestHost(
            setting, scripts: ["a.lua": text], clock: first.clock,
            journal: setting.isSQLite ? nil : first.journal, folder: first.folder)
        try await second.run { test in
            _ = try await test.until(ids[0], isInLine)
            #expect(test.world.calls.isEmpty)
            test.clock.advance(milliseconds: 60_001)
            for id in [ids[0], ids[2]] { _ = try await test.run(id, reaches: .completed) }
            #expect(Set(paths(test)) == ["slow", "3"])
            #expect(first.world.requests.first?.header("Idempotency-Key") != nil)
        }
    }

    @Test("so many calls are under way at once, and the others take no room", arguments: Setting.all)
    func atOnce(_ setting: Setting) async throws {
        let held = Held()
        let world = FakeWorld(hold: { await held.hold($0) })
        let test = try TestHost(
            setting, scripts: ["a.lua": Self.connector("at_once = 2")], world: world)
        try await test.run { test in
            var ids: [String] = []
            for id in ["1", "2", "3"] { ids.append(try await test.begin("a", ["id": .string(id)]).id) }
            await test.world.arrivals(2)
            for (index, id) in ids.enumerated() where !paths(test).contains("\(index + 1)") {
                #expect(try await test.until(id, isInLine).status == .waiting)
            }
            held.answer(paths(test)[0])
            await test.world.arrivals(3)
            held.answerAll()
            for id in ids { _ = try await test.run(id, reaches: .completed) }
        }
    }

    @Test("a breaker holds calls back while they fail, tries one, and lets all go", arguments: Setting.all)
    func breaker(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/1", "/2", "/3")
        let text = Self.connector(
            "breaker = { failures = 2, pause = \"1m\" }, retry = { max_attempts = 1 }")
        let test = try TestHost(setting, scripts: ["a.lua": text], world: broken.world)
        try await test.run { test in
            for id in ["1", "2"] {
                #expect(try await test.result(of: "a", ["id": .string(id)]).status == .attention)
            }
            var ids: [String] = []
            for id in ["3", "4", "5"] {
                ids.append(try await test.begin("a", ["id": .string(id)]).id)
                _ = try await test.until(ids[ids.count - 1], isInLine)
            }
            let gate = try #require(try await test.journal.relations(run: ids[0])?.awaitedGates.first)
            #expect(gate.openUntil == test.clock.now.adding(milliseconds: 60_000))
            test.clock.advance(milliseconds: 60_000)
            #expect(try await test.end(ids[0]).status == .attention)
            #expect(paths(test) == ["1", "2", "3"])
            broken.mend()
            test.clock.advance(milliseconds: 60_000)
            for id in ids.dropFirst() { _ = try await test.run(id, reaches: .completed) }
            #expect(paths(test) == ["1", "2", "3", "4", "5"])
        }
    }

    @Test(
        "a call with a fallback, or with a last good reply, does not wait for a breaker",
        arguments: Setting.all)
    func fallback(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/rates")
        let body = """
            local api = http.client { base = "https://a.example", breaker = { failures = 1, pause = "1m" },
              retry = { max_attempts = 1 } }
            return workflow { name = "Test", run = function(input)
              local reply = api.get("Rates", { path = "/rates", stale_ok = "1h",
                fallback = function(err) return { json = { n = -1 }, code = err.code } end })
              return { n = reply.json.n, stale = reply.stale or false, code = reply.code }
            end }
            """
        let good = FakeWorld { _ in .json(200, #"{"n":7}"#) }
        let first = try TestHost(setting, scripts: ["a.lua": body], world: good)
        try await first.run { test in
            try await expectResult(test, ["n": 7, "stale": false])
        }
        let second = try TestHost(
            setting, scripts: ["a.lua": body], world: broken.world, clock: first.clock,
            journal: setting.isSQLite ? nil : first.journal, folder: first.folder)
        try await second.run { test in
            for _ in 0..<2 { try await expectResult(test, ["n": 7, "stale": true]) }
            #expect(test.world.calls.count == 1)
            test.clock.advance(milliseconds: 3_600_001)
            try await expectResult(test, ["n": -1, "stale": false, "code": "PG2014"])
            try await expectResult(test, ["n": -1, "stale": false, "code": "PG2170"])
            #expect(test.world.calls.count == 2)
        }
    }

    @Test(
        "what is sent at most once is not sent again after a crash, and a person decides",
        arguments: Setting.all)
    func once(_ setting: Setting) async throws {
        let text = script(
            "return http.post(\"Pay\", { url = \"https://a.example/pay\", once = true }).status")
        let held = Held()
        let first = try TestHost(
            setting, scripts: ["a.lua": text], world: FakeWorld(hold: { await held.hold($0) })
        ) { $0.drainMilliseconds = 0 }
        var ids: [String] = []
        try await first.run { test in
            for _ in 0..<2 { ids.append(try await test.begin("a").id) }
            await test.world.arrivals(2)
        }
        held.answerAll()
        let second = try TestHost(
            setting, scripts: ["a.lua": text], clock: first.clock,
            journal: setting.isSQLite ? nil : first.journal, folder: first.folder)
        try await second.run { test in
            for id in ids { #expect(try await test.end(id).problem?["code"] == "PG2165") }
            #expect(test.world.calls.isEmpty)
            _ = try await test.host.act(
                on: ids[0], .setResult(StepReference(), ["status": 201]), by: "ana", reason: "it was paid")
            #expect(try await test.run(ids[0], reaches: .completed).result == 201)
            let preview = try await test.host.preview(.retry(.same), on: ids[1])
            #expect(preview.sendsAgain.map(\.target) == ["POST a.example/pay"])
            _ = try await test.host.act(on: ids[1], .retry(.same), by: "ana")
            #expect(try await test.run(ids[1], reaches: .completed).result == 200)
            #expect(test.world.calls.count == 1)
        }
    }

    @Test("retries end when their time is over", arguments: Setting.all)
    func maxDuration(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/1")
        let retry = "max_attempts = 100, initial_interval = \"30s\", backoff_coefficient = 1, jitter = 0"
        let body = """
            local _, err = try(http.get, "Send", { url = "https://a.example/1",
              retry = { \(retry), max_duration = "2m" } })
            return err.attempt
            """
        let test = try TestHost(setting, scripts: ["a.lua": script(body)], world: broken.world)
        try await test.run { test in
            let id = try await test.begin("a").id
            for attempt in 2...4 {
                try await test.untilRetryWaits(1)
                test.clock.advance(milliseconds: 30_000)
                await test.world.arrivals(attempt)
            }
            #expect(try await test.run(id, reaches: .completed).result == 4)
        }
    }

    @Test(
        "what can't be kept to is refused",
        arguments: [
            ("throttle = { limit = 0, period = \"1s\" }", "`limit` is 0"), ("at_once = 0", "`at_once` is 0"),
            ("breaker = { ratio = 2 }", "`ratio` is 2"), ("breaker = { often = 1 }", "`often`"),
            ("throttle = { limit = 5 }", "needs the option `period`"),
        ])
    func refused(_ options: String, _ said: String) async throws {
        let body = "http.client { base = \"https://a.example\", \(options) }"
        let test = try TestHost(scripts: ["a.lua": script(body)])
        try await test.run { test in
            let message = try await test.result(of: "a").problem?["message"]?.string ?? ""
            #expect(message.contains(said))
        }
    }
}
