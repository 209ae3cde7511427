import Foundation
import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

/// The six scripts that ship, on a host that crashes at each of their commits in turn.
@Suite("The example scripts survive a crash at every commit", .timeLimit(.minutes(10)))
struct ExampleCrashTests {
    struct Scenario: Sendable, CustomTestStringConvertible {
        var name: String
        var workflows: [String]
        var input: JSON
        var world: @Sendable () -> ShippedScripts.World = { ShippedScripts.World() }
        var answer: @Sendable (Wait) -> ShippedScripts.Answer? = { _ in nil }

        var testDescription: String { name }
    }

    private static let scenarios: [Scenario] = [
        Scenario(
            name: "lead_routing", workflows: ["lead_routing"],
            input: ["id": "L1", "email": "ana@acme.example", "country": "DE"]),
        Scenario(
            name: "discount_approval", workflows: ["discount_approval"],
            input: [
                "id": "D1", "company": "Acme GmbH", "arr": 100_000, "discount": 35, "margin": 50,
                "reason": "competitor offer", "requested_by": "rep@acme.example",
            ], answer: { _ in .decide("approve") }),
        Scenario(
            name: "order_saga, fulfilled", workflows: ["order_saga"], input: order,
            answer: { _ in .send("parcel.picked_up", ["parcel": "P-1"]) }),
        Scenario(name: "order_saga, undone", workflows: ["order_saga"], input: order),
        Scenario(
            name: "closed_won", workflows: ["closed_won", "onboarding"],
            input: ["deal_id": "D1", "company": "Acme", "amount": 1200, "owner": "ana@acme.example"],
            answer: { wait in
                wait.address.label == "Workspace is ready" ? .send("workspace.ready", ["name": "Acme"]) : nil
            }),
        Scenario(
            name: "nightly_reconcile", workflows: ["nightly_reconcile"], input: NightlyReconcileTests.tick,
            world: { NightlyReconcileTests.world(accounts: 8, different: 2) }),
        Scenario(name: "crm_sync", workflows: ["crm_sync"], input: account),
        Scenario(
            name: "crm_sync, parked", workflows: ["crm_sync"], input: account,
            world: { ShippedScripts.World { _ in .init(status: 422) } }, answer: { _ in .decide("discard") }),
    ]

    private static let order: JSON = [
        "order_id": "O1", "sku": "A", "qty": 2, "total": 99.5, "card": "tok_1", "address": "Rue 1",
    ]
    private static let account: JSON = [
        "account_id": "A1", "version": 1, "name": "Acme", "plan": "pro", "mrr": 10,
    ]

    /// What must be the same whatever crashed.
    private struct End: Equatable {
        var status: RunStatus
        var output: JSON?
        /// How many different calls each address got: one that is sent again has the same key.
        var calls: [String: Int]
    }

    @Test(arguments: scenarios, [false, true])
    func `what came of it is the same, and every call has one key`(_ scenario: Scenario, after: Bool)
        async throws
    {
        let whole = try await ExampleCrashTests.run(scenario, crashingAt: nil, after: after)
        let expected = try #require(whole)
        #expect(expected.status == .completed || expected.status == .stopped)
        var commit = 1
        while let end = try await ExampleCrashTests.run(scenario, crashingAt: commit, after: after) {
            #expect(end == expected, "crash at commit \(commit), after: \(after)")
            commit += 1
        }
        #expect(commit > 2)
    }

    /// - Returns: `nil` if the run has fewer commits than that.
    private static func run(
        _ scenario: Scenario, crashingAt commit: Int?, after: Bool
    ) async throws -> End? {
        let store = MemoryJournal()
        let world = scenario.world()
        let clock = ManualClock()
        let crashing = CrashingJournal(store, at: commit, after: after)
        let first = try ShippedScripts.host(crashing, of: scenario.workflows, world: world, clock: clock)
        let running = Task { try? await first.run() }
        try await first.waitUntilReady()
        let begun = try await first.start([
            NewStart(workflow: scenario.workflows[0], input: scenario.input)
        ])
        let id = try #require(begun.first?.get().id)
        var run = try await ShippedScripts.drive(
            first, id, clock, while: { !crashing.hasCrashed }, scenario.answer)
        running.cancel()
        await running.value
        guard crashing.hasCrashed == (commit != nil) else { return nil }
        if commit != nil {
            clock.advance(milliseconds: 60_000)
            let second = try ShippedScripts.host(store, of: scenario.workflows, world: world, clock: clock)
            run = try await ShippedScripts.withRunning(second) {
                try await ShippedScripts.drive(second, id, clock, scenario.answer)
            }
        }
        try await check(store, id)
        return End(status: run.status, output: run.result, calls: calls(world))
    }

    private static func calls(_ world: ShippedScripts.World) -> [String: Int] {
        var keys: [String: Set<String>] = [:]
        for (call, request) in zip(world.calls, world.requests) {
            let key = request.headers.first { $0.name == "Idempotency-Key" }?.value ?? ""
            keys[call, default: []].insert(key)
        }
        return keys.mapValues(\.count)
    }

    /// Each step is recorded once.
    private static func check(_ store: MemoryJournal, _ id: String) async throws {
        let entries = try #require(try await store.history(run: id)).entries
        var seen: Set<StepAddress> = []
        for case .stepCompleted(let step, _, _, _) in entries.map(\.fact) {
            #expect(seen.insert(step.address).inserted, "\(step.address) was recorded twice")
        }
    }
}
