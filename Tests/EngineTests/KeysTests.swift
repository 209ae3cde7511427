import Foundation
import Perigee
import PerigeeJournal
import PerigeeSQLite
import PerigeeTesting
import Testing

@Suite("Keys and concurrency", .timeLimit(.minutes(5)))
struct KeysTests {
    private static func order(_ onConflict: String) -> String {
        script(
            "wait.event(\"Paid\", { event = \"paid\", match = { n = input.n } }) return input.n",
            options: """
                on = { { event = "order.placed" }, { http = "POST /orders" }, { manual = true } },
                key = "order:{id}", on_conflict = "\(onConflict)",
                """)
    }

    @Test(
        "reject refuses a start and names the run; an event starts nothing, and its receipt says so",
        arguments: Setting.all)
    func rejects(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["order.lua": KeysTests.order("reject")])
        try await test.run { test in
            let first = try await test.begin("order", ["id": "A", "n": 1])
            let error = await #expect(throws: HostError.self) {
                try await test.begin("order", ["id": "A", "n": 2])
            }
            #expect(error?.code == "PG4110")
            #expect(error?.status == 409)
            #expect(error?.message.contains(first.id) == true)
            let hook = await #expect(throws: HostError.self) {
                try await test.host.hook(method: "POST", path: "orders", body: ["id": "A", "n": 2])
            }
            #expect(hook?.code == "PG4110")
            let taken = [KeyTaken(workflow: "order", key: "order:A", run: first.id)]
            for isDuplicate in [false, true] {
                let receipt = try await test.send("order.placed", ["id": "A", "n": 3], id: "e1")
                #expect(receipt.runs.isEmpty && receipt.refused == taken)
                #expect(receipt.isDuplicate == isDuplicate)
            }
            #expect(try await test.send("order.placed", ["id": "B", "n": 4]).runs.count == 1)
        }
    }

    @Test("cancel_existing begins the new run once the old one has ended", arguments: Setting.all)
    func cancels(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["order.lua": KeysTests.order("cancel_existing")])
        try await test.run { test in
            let first = try await test.begin("order", ["id": "A", "n": 1])
            _ = try await test.run(first.id, reaches: .waiting)
            let second = try await test.begin("order", ["id": "A", "n": 2])
            let cancelled = try await test.end(first.id)
            #expect(cancelled.status == .cancelled)
            #expect(cancelled.problem?["code"] == "PG2060")
            #expect(cancelled.problem?["message"]?.string?.contains(second.id) == true)
            let began = try await test.run(second.id, reaches: .waiting)
            #expect(try #require(began.startedAt) >= #require(cancelled.endedAt))
            _ = try await test.send("paid", ["n": 2])
            #expect(try await test.end(second.id).result == 2)
        }
    }

    @Test(
        "cancel_existing ends a run that is in the middle of a call, and by an event that a run emits",
        arguments: Setting.all)
    func cancelsBusy(_ setting: Setting) async throws {
        let busy = script(
            "call(\"Work\", \"work\", { n = input.n }) return input.n",
            options: "on = { event = \"work.wanted\" }, key = \"one\", on_conflict = \"cancel_existing\",")
        let teller = script("emit(\"work.wanted\", { n = 2 }) return true")
        let test = try TestHost(setting, scripts: ["busy.lua": busy, "teller.lua": teller])
        let clock = ManualClock()
        let (calls, began) = AsyncStream.makeStream(of: Int.self)
        test.host.register("work") { (input: [String: Int], _: CallContext) async throws in
            began.yield(input["n"] ?? 0)
            if input["n"] == 1 { try await clock.sleep(until: clock.now.adding(milliseconds: 1_000_000_000)) }
            return input
        }
        try await test.run { test in
            let first = try await test.begin("busy", ["n": 1])
            var call = calls.makeAsyncIterator()
            #expect(await call.next() == 1)
            _ = try await test.end(try await test.begin("teller").id)
            #expect(try await test.end(first.id).status == .cancelled)
            #expect(await call.next() == 2)
            let runs = try await test.host.runs(RunQuery(namespace: "default", workflows: ["busy"])).runs
            #expect(try await test.end(try #require(runs.first?.id)).result == 2)
        }
    }

    @Test(
        "queued runs of a key follow each other in order, and say what they wait for", arguments: Setting.all)
    func queues(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["order.lua": KeysTests.order("queue")])
        try await test.run { test in
            var runs: [String] = []
            for n in 1...3 {
                runs += try await test.send("order.placed", ["id": "A", "n": .int(Int64(n))]).runs
            }
            #expect(Set(runs).count == 3)
            for (index, id) in runs.enumerated() {
                _ = try await test.run(id, reaches: .waiting)
                for later in runs.dropFirst(index + 1) {
                    let waiting = try await test.host.run(id: later)
                    #expect(waiting.status == .queued && waiting.blockedBy?.runs.first == id)
                    #expect(waiting.blockedBy?.key == "order:A" && waiting.startedAt == nil)
                }
                _ = try await test.send("paid", ["n": .int(Int64(index + 1))])
                #expect(try await test.end(id).status == .completed)
            }
        }
    }

    private static func account(_ limit: String, key: String = "key = \"account_id\",") -> String {
        script(
            "http.post(\"Upsert\", { url = \"https://crm.example/\" .. input.account_id, json = { v = input.v } })"
                + " sleep(\"Settle\", \"1h\") return input.v",
            options: "on = { event = \"account.updated\" }, concurrency = { \(key) limit = \(limit) },")
    }

    @Test(
        "events of one account are handled one at a time in order, while other accounts go on",
        arguments: Setting.all)
    func oneAtATime(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["crm.lua": KeysTests.account("1")])
        try await test.run { test in
            var runs: [String: [String]] = [:]
            for version in 1...3 {
                for account in ["a", "b"] {
                    let data: JSON = ["account_id": .string(account), "v": .int(Int64(version))]
                    runs[account, default: []] += try await test.send("account.updated", data).runs
                }
            }
            for index in 0..<3 {
                for account in ["a", "b"] {
                    let line = try #require(runs[account])
                    _ = try await test.run(line[index], reaches: .waiting)
                    for later in line.dropFirst(index + 1) {
                        let waiting = try await test.host.run(id: later)
                        #expect(
                            waiting.blockedBy
                                == Blockage(kind: .concurrency, key: account, limit: 1, runs: [line[index]]))
                    }
                }
                #expect(test.world.calls.count == 2 * (index + 1))
                test.clock.advance(milliseconds: 3_600_000)
                for line in runs.values { #expect(try await test.end(line[index]).status == .completed) }
            }
            let bodies = test.world.requests.filter { $0.url.hasSuffix("/a") }.compactMap(\.body)
            #expect(
                bodies.map { String(decoding: $0, as: UTF8.self) } == [#"{"v":1}"#, #"{"v":2}"#, #"{"v":3}"#])
        }
    }

    @Test(
        "a run that is cancelled in line or while it holds the slot lets the next one go on",
        arguments: Setting.all)
    func cancelInLine(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["crm.lua": KeysTests.account("1", key: "")])
        try await test.run { test in
            var runs: [String] = []
            for account in ["a", "b", "c"] {
                runs += try await test.send("account.updated", ["account_id": .string(account), "v": 1]).runs
            }
            _ = try await test.run(runs[0], reaches: .waiting)
            #expect(try await test.host.cancel(run: runs[1], by: "ana").status == .cancelled)
            #expect(try await test.host.run(id: runs[2]).blockedBy?.runs == [runs[0]])
            _ = try await test.host.cancel(run: runs[0], by: "ana")
            _ = try await test.run(runs[2], reaches: .waiting)
        }
    }

    @Test(
        "inputs without the field share one line, and those that do not fit stand in none",
        arguments: Setting.all)
    func missingField(_ setting: Setting) async throws {
        let text = script(
            "sleep(\"1h\") return 1",
            options:
                "input = { n = \"integer\" }, on = { event = \"go\" }, concurrency = { key = \"{a}/{b.c}\", limit = 1 },"
        )
        let test = try TestHost(setting, scripts: ["w.lua": text])
        try await test.run { test in
            let broken = try await test.send("go", ["n": "x"]).runs[0]
            #expect(try await test.host.run(id: broken).status == .attention)
            let first = try await test.send("go", ["n": 1, "a": 1]).runs[0]
            let second = try await test.send("go", ["n": 1, "b": ["c": 2]]).runs[0]
            let other = try await test.send("go", ["n": 1, "a": 1, "b": ["c": 2]]).runs[0]
            _ = try await test.run(first, reaches: .waiting)
            _ = try await test.run(other, reaches: .waiting)
            let blocked = try #require(try await test.host.run(id: second).blockedBy)
            #expect(blocked == Blockage(kind: .concurrency, key: "", limit: 1, runs: [first]))
        }
    }

    @Test("the limit of a saved script counts at once for runs that wait in line", arguments: Setting.all)
    func newLimit(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["crm.lua": KeysTests.account("1")])
        try await test.run { test in
            var runs: [String] = []
            for version in 1...4 {
                let data: JSON = ["account_id": "a", "v": .int(Int64(version))]
                runs += try await test.send("account.updated", data).runs
            }
            _ = try await test.run(runs[0], reaches: .waiting)
            let activity = test.host.activity()
            try TestHost.write(KeysTests.account("3"), to: "crm.lua", in: test.scripts)
            test.clock.advance(milliseconds: 1000)
            for await event in activity {
                if case .scriptLoaded(_, 2, _, _, _) = event { break }
                test.clock.advance(milliseconds: 1000)
            }
            for id in runs[1...2] { _ = try await test.run(id, reaches: .waiting) }
            #expect(try await test.host.run(id: runs[3]).blockedBy?.limit == 3)
        }
    }

    @Test(
        "what is declared wrongly is refused, with the code and the nearest name",
        arguments: [
            ("on_conflict = \"cancel\",", "PG1110", "cancel_existing"),
            ("on_conflict = \"quue\",", "PG1110", "queue"),
            ("concurrency = { key = \"a\" },", "PG1011", "limit"),
            ("concurrency = { limit = 0 },", "PG1111", "1"),
            ("concurrency = { limit = 1.5 },", "PG1011", "Correct"),
            ("concurrency = { limt = 1 },", "PG1005", "limit"),
            ("concurrency = { key = \"\", limit = 1 },", "PG1112", "key"),
            ("concurrency = { key = \"{a\", limit = 1 },", "PG1014", "key"),
        ])
    func declarations(_ options: String, _ code: String, _ word: String) async throws {
        let test = try TestHost(scripts: ["w.lua": script("return 1", options: options)])
        try await test.run { test in
            let problem = try #require(test.host.workflows.first?.error)
            #expect(problem.code == code)
            #expect((problem.message + problem.hint).contains(word))
        }
    }

    @Test(
        "never more than the limit, whatever happens to the runs and their hosts", arguments: [false, true])
    func random(isSQLite: Bool) async throws {
        let seed =
            ProcessInfo.processInfo.environment["PERIGEE_SEED"].flatMap(UInt64.init)
            ?? UInt64.random(in: 0...UInt64(UInt32.max))
        print("PERIGEE_SEED=\(seed)")
        // A clock's randomness, of a clock that nobody moves.
        let chance = ManualClock(seed: seed)
        func pick(_ count: UInt64) -> Int64 { Int64(chance.randomUInt64() % count) }
        let text = script(
            "sleep(input.ms .. \"ms\") http.post(\"Do\", { url = \"https://a.example\" }) sleep(\"1m\") return 1",
            options: "on = { event = \"go\" }, concurrency = { key = \"k\", limit = 2 },")
        let clock = ManualClock()
        let memory = MemoryJournal()
        var test = try TestHost(
            Setting(isSQLite: isSQLite, alwaysEvict: false), scripts: ["w.lua": text], clock: clock,
            journal: isSQLite ? nil : memory)
        try await test.start()
        for _ in 0..<6 {
            for _ in 0..<20 {
                switch pick(10) {
                case 0..<5:
                    let data: JSON = ["k": .int(pick(3)), "ms": .int(pick(90_000) + 1)]
                    _ = try await test.send("go", data)
                case 5:
                    let runs = try await test.host.runs(RunQuery(namespace: "default", limit: 500)).runs
                    let open = runs.filter { !$0.status.isFinal }
                    guard !open.isEmpty else { continue }
                    let run = open[Int(pick(UInt64(open.count)))]
                    _ = try? await test.host.cancel(run: run.id, by: "ana")
                default: clock.advance(milliseconds: pick(60_000))
                }
                try await expectLimit(test)
            }
            try await test.stop()
            test = try TestHost(
                Setting(isSQLite: isSQLite, alwaysEvict: true), scripts: [:], clock: clock,
                journal: isSQLite ? nil : memory, folder: test.folder)
            try await test.start()
        }
        while try await expectLimit(test) > 0 {
            clock.advance(milliseconds: 30_000)
            await Task.yield()
        }
        try await test.stop()
    }

    /// Looks at all runs at one moment; how many have not ended.
    @discardableResult
    private func expectLimit(_ test: TestHost) async throws -> Int {
        let runs = try await test.host.runs(RunQuery(namespace: "default", limit: 500)).runs
        let open = runs.filter { !$0.status.isFinal }
        let begun = Dictionary(grouping: open.filter { $0.startedAt != nil }) { run in
            (try? JSON(parsing: run.input))?["k"] ?? .null
        }
        for line in begun.values { try #require(line.count <= 2) }
        return open.count
    }
}
