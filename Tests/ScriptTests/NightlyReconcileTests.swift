import Foundation
import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("nightly_reconcile", .timeLimit(.minutes(5)))
struct NightlyReconcileTests {
    /// Two pages of billing accounts, and the CRM's view of them with some that differ.
    static func world(accounts: Int, different: Int, failing: Set<Int> = []) -> ShippedScripts.World {
        ShippedScripts.World { request in
            let url = URLComponents(string: request.url)
            let isSecond = url?.queryItems?.contains { $0.name == "cursor" } ?? false
            func list(_ item: (Int) -> String, _ next: Bool) -> HTTPReply {
                let half = accounts / 2
                let range = isSecond ? half..<accounts : 0..<half
                let items = range.map(item).joined(separator: ",")
                let body = "{\"items\":[\(items)]\(next && !isSecond ? ",\"next_cursor\":\"two\"" : "")}"
                return HTTPReply(
                    status: 200, headers: [("Content-Type", "application/json")], body: Array(body.utf8))
            }
            switch (request.method, url?.path) {
            case ("GET", "/accounts"?):
                return list({ "{\"id\":\"b\($0)\",\"name\":\"n\($0)\",\"mrr\":10}" }, true)
            case ("GET", "/companies"?):
                return list({ "{\"billing_id\":\"b\($0)\",\"mrr\":\($0 < different ? 5 : 10)}" }, true)
            case ("PUT", let path?) where failing.contains(Int(path.dropFirst("/companies/b".count)) ?? -1):
                return HTTPReply(status: 422)
            default: return nil
            }
        }
    }

    static let tick: JSON = ["scheduled_for": "2026-11-21T01:00:00Z"]

    private func run(
        _ world: ShippedScripts.World,
        answer: @escaping @Sendable (Wait) -> ShippedScripts.Answer? = { _ in nil }
    ) async throws -> RunRecord {
        try await ShippedScripts.run(
            "nightly_reconcile", NightlyReconcileTests.tick, world: world, answer: answer)
    }

    @Test func `has nothing to do when both sides agree`() async throws {
        let world = NightlyReconcileTests.world(accounts: 40, different: 0)
        #expect(try await run(world).result == ["fixed": 0])
        #expect(world.calls.count == 4)
    }

    @Test func `fixes a small drift, each company once, and reports what failed`() async throws {
        let world = NightlyReconcileTests.world(accounts: 100, different: 4, failing: [2])
        #expect(try await run(world).result == ["fixed": 3, "failed": 1])
        let keys = world.requests.filter { $0.method == "PUT" }.compactMap {
            $0.headers.first { $0.name == "Idempotency-Key" }?.value
        }
        #expect(Set(keys) == Set((0..<4).map { "b\($0)/2026-11-21T01:00:00Z" }))
        #expect(
            world.bodies("chat.postMessage").last?["text"] == "Reconciled 3 of 4 differences; 1 failed")
    }

    @Test func `asks before it fixes a large drift, and does it when that is approved`() async throws {
        let world = NightlyReconcileTests.world(accounts: 20, different: 10)
        let run = try await run(world) { _ in .decide("approve") }
        #expect(run.result == ["fixed": 10, "failed": 0])
    }

    @Test(arguments: ["reject", nil])
    func `fixes nothing of a large drift that nobody approves`(outcome: String?) async throws {
        let world = NightlyReconcileTests.world(accounts: 20, different: 10)
        let run = try await run(world) { _ in outcome.map { .decide($0) } }
        #expect(run.status == .stopped)
        #expect(run.result?["reason"] == "Drift of 10 rows was not approved")
        #expect(!world.calls.contains { $0.hasPrefix("PUT") })
    }

    @Test func `is started by its schedule at two in the morning in Paris`() async throws {
        let world = NightlyReconcileTests.world(accounts: 2, different: 0)
        // 00:59:50 UTC is 01:59:50 in Paris in winter.
        let clock = ManualClock(now: try #require(Timestamp(rfc3339: "2026-11-22T00:59:50Z")))
        let host = try ShippedScripts.host(
            MemoryJournal(), of: ["nightly_reconcile"], world: world, clock: clock)
        try await ShippedScripts.withRunning(host) {
            var run: RunRecord?
            while run?.status != .completed {
                run = try await host.runs(
                    RunQuery(namespace: "default", workflows: ["nightly_reconcile"])
                ).runs.first
                if clock.nextWake != nil { clock.advance(milliseconds: 250) }
                await Task.yield()
            }
            let scheduled = run.flatMap { try? JSON(parsing: $0.trigger) }?["scheduled_for"]?.string
            #expect(scheduled.flatMap(Timestamp.init(rfc3339:)) == Timestamp(rfc3339: "2026-11-22T01:00:00Z"))
        }
    }
}
