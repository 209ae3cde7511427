import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

@Suite("crm_sync", .timeLimit(.minutes(5)))
struct CRMSyncTests {
    private static func account(_ version: Int64) -> JSON {
        ["account_id": "A1", "version": .int(version), "name": "Acme", "plan": "pro", "mrr": 10]
    }

    @Test func `updates the CRM, and stops at what is older than it has`() async throws {
        let world = ShippedScripts.World()
        let clock = ManualClock()
        let host = try ShippedScripts.host(MemoryJournal(), of: ["crm_sync"], world: world, clock: clock)
        try await ShippedScripts.withRunning(host) {
            var ends: [RunRecord] = []
            for version: Int64 in [2, 1, 3] {
                let started = try await host.start([
                    NewStart(workflow: "crm_sync", input: CRMSyncTests.account(version))
                ])
                let id = try #require(started.first?.get().id)
                ends.append(try await ShippedScripts.drive(host, id, clock) { _ in nil })
            }
            #expect(ends.map(\.status) == [.completed, .stopped, .completed])
            #expect(ends[0].result == ["crm_id": "C-7"])
            let keys = world.requests.map { $0.headers.first { $0.name == "Idempotency-Key" }?.value }
            #expect(keys == ["A1/v2", "A1/v3"])
        }
    }

    @Test func `what the CRM refuses is repaired by a person and sent again`() async throws {
        let world = ShippedScripts.World { request in
            (try? JSON(parsing: request.body))?["name"] == "Acme" ? .init(status: 422) : nil
        }
        let clock = ManualClock()
        let host = try ShippedScripts.host(MemoryJournal(), of: ["crm_sync"], world: world, clock: clock)
        try await ShippedScripts.withRunning(host) {
            let started = try await host.start([
                NewStart(workflow: "crm_sync", input: CRMSyncTests.account(1))
            ])
            let id = try #require(started.first?.get().id)
            var parked: ApprovalRecord?
            while parked == nil {
                parked = try await host.approvals(status: .waiting, limit: 10).first
                await Task.yield()
            }
            let fixed: JSON = [
                "account_id": "A1", "version": 1, "name": "Acme Ltd", "plan": "pro", "mrr": 10,
            ]
            _ = try await host.decide(
                approval: try #require(parked).id, outcome: "retry", by: "ana", data: fixed)
            let run = try await ShippedScripts.drive(host, id, clock) { _ in nil }
            #expect(run.result == ["crm_id": "C-7"])
            #expect(world.calls.count == 2)
        }
    }

    @Test func `what is discarded ends on purpose`() async throws {
        let world = ShippedScripts.World { _ in .init(status: 422) }
        let run = try await ShippedScripts.run("crm_sync", CRMSyncTests.account(1), world: world) { _ in
            .decide("discard")
        }
        #expect(run.status == .stopped)
        #expect(run.result?["reason"] == "Discarded from the dead-letter inbox")
    }
}
