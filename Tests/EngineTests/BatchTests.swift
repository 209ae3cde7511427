@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("Batches", .timeLimit(.minutes(5)))
struct BatchTests {
    private func stopped(_ count: Int, _ test: TestHost) async throws -> [String] {
        var ids: [String] = []
        for _ in 0..<count { ids.append(try await test.begin("a").id) }
        for id in ids { #expect(try await test.end(id).status == .attention) }
        return ids
    }

    /// The batch once it has this status; looks again whenever a run changes or the clock moves.
    private func batch(_ id: String, reaches status: Batch.Status, _ test: TestHost) async throws -> Batch {
        while true {
            let batch = try await test.host.batch(id: id)
            if batch.status == status { return batch }
            await Task.yield()
        }
    }

    private static let text = script("\(RetryTests.post("Send", "1")) return 1")

    @Test("every run of a batch is acted on once, and each has its result", arguments: Setting.all)
    func retry(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/1")
        let test = try TestHost(setting, scripts: ["a.lua": BatchTests.text], world: broken.world)
        try await test.run { test in
            let ids = try await stopped(4, test)
            broken.mend()
            _ = try await test.host.act(on: ids[0], .terminate, by: "ana")
            _ = try await test.host.act(on: ids[1], .retry(.same), by: "ana")
            _ = try await test.run(ids[1], reaches: .completed)
            let made = try await test.host.createBatch(
                NewBatch(request: .retry(.same), search: "x", by: "ana", reason: "mended", atOnce: 1),
                runs: ids)
            let ended = try await batch(made.id, reaches: .completed, test)
            for id in ids { #expect(try await test.run(id, reaches: .completed).result == 1) }
            #expect(ended.counts == Batch.Counts(pending: 0, done: 3, refused: 1))
            #expect(test.world.calls.count == 8)
            let items = try await test.host.batchItems(BatchItemQuery(batch: made.id))
            #expect(items.map(\.run) == ids)
            #expect(items.map(\.state) == [.done, .refused, .done, .done])
            let error = items[1].error.flatMap { try? JSON(parsing: $0) }
            #expect(error?["code"] == "PG4130")
            let audits = try await test.host.audit(run: ids[2]).records
            #expect(audits.first?.batch == made.id)
            #expect(audits.first?.reason == "mended")
        }
    }

    @Test(
        "a batch acts on no more runs in a minute than it may, and can be paused and aborted",
        arguments: Setting.all)
    func rate(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["a.lua": script("sleep(\"9d\")")])
        try await test.run { test in
            var ids: [String] = []
            for _ in 0..<4 { ids.append(try await test.begin("a").id) }
            for id in ids { _ = try await test.run(id, reaches: .waiting) }
            let made = try await test.host.createBatch(
                NewBatch(request: .pause, search: "x", by: "ana", perMinute: 2), runs: ids)
            func paused() async throws -> Int {
                try await test.host.runs(RunQuery(namespace: "", statuses: [.paused])).runs.count
            }
            _ = try await test.run(ids[0], reaches: .paused)
            #expect(try await paused() == 1)
            test.clock.advance(milliseconds: 30_000)
            _ = try await test.run(ids[1], reaches: .paused)
            #expect(try await paused() == 2)
            _ = try await test.host.steerBatch(made.id, to: .paused, by: "bob")
            test.clock.advance(milliseconds: 30_000)
            #expect(try await paused() == 2)
            _ = try await test.host.steerBatch(made.id, to: .running, by: "bob")
            _ = try await test.run(ids[2], reaches: .paused)
            let aborted = try await test.host.steerBatch(made.id, to: .aborted, by: "bob", reason: "enough")
            #expect(aborted.counts == Batch.Counts(pending: 1, done: 3))
            test.clock.advance(milliseconds: 60_000)
            #expect(try await paused() == 3)
            let error = await #expect(throws: HostError.self) {
                try await test.host.steerBatch(made.id, to: .running, by: "bob")
            }
            #expect(error?.code == "PG4141")
            let actions = try await test.host.audit(limit: 50).records.filter { $0.run == nil }.map(\.action)
            #expect(actions == ["batch.abort", "batch.resume", "batch.pause", "batch.pause"])
        }
    }

    @Test("a batch goes on after a crash where it was", arguments: Setting.all)
    func crash(_ setting: Setting) async throws {
        let broken = RetryTests.Broken("/1")
        let first = try TestHost(
            setting, scripts: ["a.lua": BatchTests.text], world: broken.world)
        var ids: [String] = []
        var made = ""
        try await first.run { test in
            ids = try await stopped(5, test)
            made = try await test.host.createBatch(
                NewBatch(request: .terminate, search: "x", by: "ana", perMinute: 1), runs: ids
            ).id
            _ = try await test.run(ids[0], reaches: .terminated)
        }
        let second = try TestHost(
            setting, scripts: ["a.lua": BatchTests.text], world: broken.world, clock: first.clock,
            journal: setting.isSQLite ? nil : first.journal, folder: first.folder)
        try await second.run { test in
            #expect(try await test.host.batch(id: made).counts.done >= 1)
            for id in ids.dropFirst() {
                _ = try await test.run(id, reaches: .terminated)
                test.clock.advance(milliseconds: 60_000)
            }
            let ended = try await batch(made, reaches: .completed, test)
            #expect(ended.counts == Batch.Counts(pending: 0, done: 5))
            for id in ids {
                let records = try await test.host.audit(run: id).records
                #expect(records.map(\.action) == ["terminate", "start"])
            }
        }
    }
}
