@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

/// Runs that a host has taken before it can work on them.
@Suite(.timeLimit(.minutes(5))) struct RunLineTests {
    private static let scripts = ["h.lua": script("return call(\"Hold\", \"held\", input.n)")]

    private static func few(_ options: inout HostOptions) {
        options.shards = 1
        options.maxRunsInWork = 2
    }

    /// Begins so many runs, which hold a call each, once the host is caught up: until then runs are rows of the store,
    /// which are claimed in any number.
    private static func begin(_ count: Int, on test: TestHost) async throws -> [String] {
        await reserveOne(on: test)
        test.host.dispatcher.accepted([], of: 1)
        var ids: [String] = []
        for n in 1...count { ids.append(try await test.begin("h", ["n": .string("\(n)")]).id) }
        return ids
    }

    private static func reserveOne(on test: TestHost) async {
        while test.host.dispatcher.reserve(1, mayStandInLine: true) == 0 { await Task.yield() }
    }

    @Test(arguments: Setting.all)
    func `more than are worked on at once stand in line, and each comes in its turn`(_ setting: Setting)
        async throws
    {
        let held = HeldCalls()
        let test = try TestHost(setting, scripts: Self.scripts, configure: Self.few)
        held.register(on: test.host)
        try await test.run { test in
            let ids = try await Self.begin(5, on: test)
            await held.untilBegun(2)
            #expect(test.host.dispatcher.activeCount == 5)
            // One that is cancelled in line does nothing when its turn comes.
            _ = try await test.host.cancel(run: ids[3], by: "ana")
            held.gate("1").open()
            _ = try await test.run(ids[0], reaches: .completed)
            await held.untilBegun(3)
            #expect(Set(held.names.prefix(2)) == ["1", "2"] && held.names[2] == "3")
            for n in 2...5 { held.gate("\(n)").open() }
            for (index, id) in ids.enumerated() {
                #expect(try await test.end(id).status == (index == 3 ? .cancelled : .completed))
            }
            #expect(held.names.count == 4 && held.names.last == "5")
            while test.host.dispatcher.activeCount > 0 { await Task.yield() }
        }
    }

    @Test func `one that is ended by force in line leaves it`() async throws {
        let held = HeldCalls()
        let test = try TestHost(scripts: Self.scripts, configure: Self.few)
        held.register(on: test.host)
        try await test.run { test in
            let ids = try await Self.begin(4, on: test)
            await held.untilBegun(2)
            #expect(try await test.host.cancel(run: ids[2], by: "ana", isForced: true).status == .terminated)
            for n in 1...4 { held.gate("\(n)").open() }
            for id in [ids[0], ids[1], ids[3]] { #expect(try await test.end(id).status == .completed) }
            #expect(!held.names.contains("3"))
            while test.host.dispatcher.activeCount > 0 { await Task.yield() }
        }
    }

    @Test func `an answer that came is not lost when somebody cancels the run in line`() async throws {
        let held = HeldCalls()
        var scripts = Self.scripts
        scripts["a.lua"] = script("local d = ask.approval(\"OK?\", {}) flow.status(d.outcome) sleep(\"1h\")")
        let test = try TestHost(scripts: scripts) { options in
            Self.few(&options)
            options.residentRuns = 0
        }
        held.register(on: test.host)
        try await test.run { test in
            let asked = try await test.run(try await test.begin("a").id, reaches: .waiting)
            _ = try await Self.begin(2, on: test)
            await held.untilBegun(2)
            let approval = try #require(asked.waits.first).id
            _ = try await test.host.decide(approval: approval, outcome: "approve", by: "ana")
            while test.host.dispatcher.activeCount < 3 { await Task.yield() }
            _ = try await test.host.cancel(run: asked.id, by: "bob")
            for n in 1...2 { held.gate("\(n)").open() }
            let ended = try await test.end(asked.id)
            #expect(ended.status == .cancelled && ended.statusText == "approve")
        }
    }

    @Test func `what is told of a run before it is taken is not lost`() async throws {
        let held = HeldCalls()
        held.gate("1").open()
        let store = MemoryJournal()
        let test = try TestHost(scripts: Self.scripts, journal: store, configure: Self.few)
        held.register(on: test.host)
        try await test.run { test in
            _ = try await Self.begin(1, on: test)
            // As the host does it, but for the order in which the shard hears of it.
            let host = test.host
            let target = try #require(host.registry.target("h"))
            let start = RunStart(target: target, input: ["n": "1"], trigger: ["type": "manual"])
            let submission = Submission(
                namespace: "default", starts: [start.newRun(correlationID: nil, ambient: test.clock)])
            await Self.reserveOne(on: test)
            let claimant = Claimant(host: host.options.hostID, limit: 1)
            let receipt = try await store.submit([submission], now: test.clock.now, claimant: claimant)[0]
                .get()
            host.dispatcher.accepted(receipt.claimed, of: 1)
            let error = Cancelled.error(by: "ana", reason: nil).bytes
            _ = try await store.cancel(
                run: receipt.runs[0], error: error, isForced: false, now: test.clock.now)
            let claim = try await store.claim(
                host: host.options.hostID, namespace: "default", now: test.clock.now, limit: 9, only: nil)
            #expect(claim.told.map(\.run.id) == receipt.runs)
            host.hand(claim.runs, told: claim.told)
            host.hand(receipt.claimed)
            #expect(try await test.end(receipt.runs[0]).status == .cancelled)
        }
    }

    @Test func `those in line when a host ends are the next host's`() async throws {
        let store = MemoryJournal()
        let held = HeldCalls()
        let first = try TestHost(scripts: Self.scripts, journal: store, configure: Self.few)
        held.register(on: first.host)
        var ids: [String] = []
        try await first.run { test in
            ids = try await Self.begin(6, on: test)
            await held.untilBegun(2)
        }
        #expect(held.names.sorted() == ["1", "2"], "nobody takes the place of those that were broken off")
        let second = try TestHost(scripts: Self.scripts, journal: store, configure: Self.few)
        held.register(on: second.host)
        for n in 1...6 { held.gate("\(n)").open() }
        try await second.run { test in
            for id in ids {
                let run = try await test.end(id)
                #expect(run.status == .completed)
            }
        }
        // The two that were under way are done again, as nobody knows how far they came.
        #expect(held.names.sorted() == ["1", "1", "2", "2", "3", "4", "5", "6"])
    }

    @Test func `the line keeps its order, also where some leave it and others are told anew`() {
        var line = RunLine()
        for number in 1...5000 { #expect(line.add(Self.claimed(Int64(number), epoch: 1)) == nil) }
        for number in stride(from: 2, through: 5000, by: 2) {
            #expect(line.remove(Int64(number))?.run.number == Int64(number))
        }
        #expect(line.remove(2) == nil)
        #expect(line.add(Self.claimed(3, epoch: 2))?.run.epoch == 1)
        #expect(line[3]?.run.epoch == 2 && line[4] == nil)
        var taken: [Int64] = []
        while let next = line.next() {
            taken.append(next.run.number)
            // One that left comes back to the end.
            if next.run.number == 1999 { line.add(Self.claimed(4, epoch: 1)) }
        }
        let expected: [Int64] = Array(stride(from: 1, through: 4999, by: 2)) + [4]
        #expect(taken == expected)
        line.add(Self.claimed(7, epoch: 1))
        #expect(line.removeAll().map(\.run.number) == [7] && line.next() == nil)
    }

    @Test func `those whose time runs come first, in their order`() {
        var line = RunLine()
        for number in 1...6 {
            var claimed = Self.claimed(Int64(number), epoch: 1)
            if number > 3 { claimed.run.deadlineAt = Timestamp(milliseconds: 9) }
            line.add(claimed)
        }
        _ = line.remove(5)
        var taken: [Int64] = []
        while let next = line.next() { taken.append(next.run.number) }
        #expect(taken == [4, 6, 1, 2, 3])
    }

    @Test func `what is told anew of a run keeps the answers that had come for it`() {
        func told(_ waits: [String], epoch: Int64 = 1) -> ClaimedRun {
            var claimed = Self.claimed(1, epoch: epoch)
            let address = StepAddress(path: "", label: "Ask", occurrence: 1)
            claimed.answers = waits.map {
                WaitAnswer(wait: $0, address: address, at: Timestamp(milliseconds: 0), payload: nil)
            }
            return claimed
        }
        #expect(told([]).joining(told(["a", "b"])).answers.map(\.wait) == ["a", "b"])
        #expect(told(["b", "c"]).joining(told(["a", "b"])).answers.map(\.wait) == ["a", "b", "c"])
        #expect(told(["c"], epoch: 2).joining(told(["a"])).answers.map(\.wait) == ["c"])
        #expect(told(["c"]).joining(nil).answers.map(\.wait) == ["c"])
    }

    private static func claimed(_ number: Int64, epoch: Int64) -> ClaimedRun {
        let run = RunRecord(
            id: "run_\(number)", number: number, namespace: "main", workflow: "w", version: 1, bundle: "b",
            status: .running, key: nil, input: [], trigger: [], correlationID: "c",
            createdAt: Timestamp(milliseconds: 0), epoch: epoch)
        return ClaimedRun(run: run, answers: [])
    }
}
