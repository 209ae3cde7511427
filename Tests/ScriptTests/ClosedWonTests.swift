import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("closed_won", .timeLimit(.minutes(5)))
struct ClosedWonTests {
    private static let deal: JSON = [
        "deal_id": "D1", "company": "Acme", "amount": 1200, "owner": "ana@acme.example",
    ]

    @Test func `does everything side by side, with the onboarding as a run of its own`() async throws {
        let world = ShippedScripts.World()
        let run = try await ShippedScripts.run(
            "closed_won", ClosedWonTests.deal, with: ["onboarding"], world: world
        ) { wait in
            wait.address.label == "Workspace is ready" ? .send("workspace.ready", ["name": "Acme"]) : nil
        }
        #expect(run.result == ["deal": "D1", "failed": 0])
        #expect(
            Set(world.calls) == [
                "POST billing.example/invoices", "POST projects.example/projects",
                "POST app.example/workspaces", "POST slack.example/api/chat.postMessage",
            ])
        #expect(world.bodies("chat.postMessage").map { $0["channel"] } == ["#wins"])
    }

    @Test func `a branch that fails stops no other, and is reported`() async throws {
        let world = ShippedScripts.World { $0.url.contains("invoices") ? .init(status: 422) : nil }
        let run = try await ShippedScripts.run(
            "closed_won", ClosedWonTests.deal, with: ["onboarding"], world: world
        ) { wait in
            wait.address.label == "Workspace is ready" ? .send("workspace.ready", ["name": "Acme"]) : nil
        }
        #expect(run.result == ["deal": "D1", "failed": 1])
        let report = world.bodies("chat.postMessage").last
        #expect(report?["channel"] == "#revops")
        #expect(
            report?["text"]?.string?.contains("invoice: POST billing.example/invoices answered 422") == true)
        #expect(world.calls.contains("POST projects.example/projects"))
    }

    @Test func `an onboarding that fails is reported, too`() async throws {
        let world = ShippedScripts.World { $0.url.contains("projects.example") ? .init(status: 422) : nil }
        let clock = ManualClock()
        let host = try ShippedScripts.host(
            MemoryJournal(), of: ["closed_won", "onboarding"], world: world, clock: clock)
        try await ShippedScripts.withRunning(host) {
            let started = try await host.start([NewStart(workflow: "closed_won", input: ClosedWonTests.deal)])
            let id = try #require(started.first?.get().id)
            // The child needs attention: the parent waits until somebody decides, here to give it up.
            var child: RunRecord?
            while child == nil {
                let page = try await host.runs(
                    RunQuery(namespace: "default", statuses: [.attention], workflows: ["onboarding"]))
                child = page.runs.first
                await Task.yield()
            }
            _ = try await host.cancel(run: try #require(child).id, by: "ana")
            let run = try await ShippedScripts.drive(host, id, clock) { wait in
                wait.address.label == "Workspace is ready" ? .send("workspace.ready", ["name": "Acme"]) : nil
            }
            #expect(run.result?["failed"] == 1)
        }
    }
}
