import Foundation
import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

/// discount_approval.lua as it ships, against the mocks that ship: every branch that it has.
@Suite("discount_approval", .timeLimit(.minutes(5)))
struct DiscountApprovalTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Remembers what was sent, and answers from the mocks.
    private final class Recorder: HTTPTransport {
        private let mocks = MockTransport(
            folder: DiscountApprovalTests.root.appendingPathComponent("mocks").path, sleep: { _ in })
        private let seen = Mutex<[HTTPRequest]>([])

        /// `PATCH https://… {…}`.
        var sent: [String] {
            seen.withLock { $0 }.map { "\($0.method) \($0.url) \(String(decoding: $0.body, as: UTF8.self))" }
        }

        func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPReply {
            seen.withLock { $0.append(request) }
            return try await mocks.send(request)
        }
    }

    /// What people do with what waits; `false` lets its time run out.
    private typealias Act = @Sendable (WorkflowHost, ApprovalRecord) async throws -> Bool

    private func run(
        discount: Int64 = 35, _ act: @escaping Act
    ) async throws -> (result: JSON?, sent: [String], asked: [String], status: String?) {
        var options = HostOptions()
        options.settings = Settings(secret: { _ in "secret" }, config: { _ in nil })
        let clock = ManualClock()
        let world = Recorder()
        let host = WorkflowHost(
            journal: MemoryJournal(),
            scripts: try ShippedScripts.folder(of: ["discount_approval"]),
            http: world, ambient: clock, options: options)
        let running = Task { try await host.run() }
        try await host.waitUntilReady()
        let activity = host.activity()
        let deal: JSON = [
            "id": "D1", "company": "Acme GmbH", "arr": 100_000, "discount": .int(discount), "margin": 50,
            "reason": "competitor offer", "requested_by": "rep@acme.example",
        ]
        let event = NewEvent(type: "discount.requested", data: deal)
        let id = try #require(try await host.send([event]).first?.get().runs.first)
        var record = try await host.run(id: id)
        var asked: [String] = []
        for await _ in activity {
            record = try await host.run(id: id)
            if record.status.isFinal || record.status == .attention { break }
            guard let wait = record.waits.first, asked.last != wait.address.label else { continue }
            asked.append(wait.address.label)
            if try await act(host, try await host.approval(id: wait.id)) { continue }
            let due = try #require(wait.dueAt)
            clock.advance(milliseconds: due.milliseconds - clock.now.milliseconds)
        }
        running.cancel()
        try await running.value
        #expect(
            record.status == .completed, "\(record.error.map { String(decoding: $0, as: UTF8.self) } ?? "")")
        let result = try record.output.map { try JSON(parsing: $0) }
        return (result, world.sent, asked, record.statusText)
    }

    @Test func `ten percent and less is policy, and nobody is asked`() async throws {
        let run = try await run(discount: 10) { _, _ in true }
        #expect(run.result == ["outcome": "approved", "by": "policy", "discount": 10])
        #expect(run.sent.isEmpty && run.asked.isEmpty)
    }

    @Test func `what the deal desk approves unlocks the quote, and the rep can't approve it`() async throws {
        let run = try await run { host, approval in
            #expect(approval.address.label == "Deal desk approval")
            #expect(JSON.array(["group:deal-desk"]).bytes == approval.request.to)
            // 24 office hours after Monday 15:13:20 in London, and reminders after 8 and 20.
            #expect(approval.dueAt?.description == "2026-09-24T11:13:20.000Z")
            #expect(
                approval.request.remindAt.map(\.description) == [
                    "2026-09-22T13:13:20.000Z", "2026-09-23T16:13:20.000Z",
                ])
            let own = await #expect(throws: HostError.self) {
                try await host.decide(approval: approval.id, outcome: "approve", by: "Rep@acme.example")
            }
            #expect(own?.code == "PG4120")
            _ = try await host.decide(approval: approval.id, outcome: "approve", by: "dora@acme.example")
            return true
        }
        #expect(run.result == ["outcome": "approved", "by": "dora@acme.example", "discount": 35])
        #expect(run.sent == ["PATCH https://crm.example/deals/D1 {\"discount\":35}"])
        #expect(run.status == "Waiting for the deal desk")
    }

    @Test func `what is rejected needs a comment, which the rep is told`() async throws {
        let run = try await run { host, approval in
            let mute = await #expect(throws: HostError.self) {
                try await host.decide(approval: approval.id, outcome: "reject", by: "dora")
            }
            #expect(mute?.code == "PG4013")
            _ = try await host.decide(
                approval: approval.id, outcome: "reject", by: "dora", comment: "too much")
            return true
        }
        #expect(run.result == ["outcome": "rejected", "by": "dora", "because": "too much"])
        #expect(run.sent.count == 1 && run.sent[0].contains("Not approved: too much"))
        #expect(run.sent[0].contains("\"channel\":\"rep@acme.example\""))
    }

    @Test func `a counter-offer goes to the rep`() async throws {
        let run = try await run { host, approval in
            let wrong = await #expect(throws: HostError.self) {
                try await host.decide(
                    approval: approval.id, outcome: "counter", by: "dora", form: ["counter": "41"])
            }
            #expect(wrong?.faults.map(\.pointer) == ["/form/counter"])
            _ = try await host.decide(
                approval: approval.id, outcome: "Counter", by: "dora", form: ["counter": "15"])
            return true
        }
        #expect(run.result == ["outcome": "countered", "by": "dora", "discount": 15])
        #expect(run.sent.count == 1 && run.sent[0].contains("Counter-offer: 15%"))
    }

    @Test func `what nobody decides goes to the VP, who approves`() async throws {
        let run = try await run { host, approval in
            guard approval.address.label == "VP approval (escalated)" else { return false }
            #expect(JSON.array(["vp@acme.example"]).bytes == approval.request.to)
            _ = try await host.decide(approval: approval.id, outcome: "approve", by: "vp@acme.example")
            return true
        }
        #expect(run.asked == ["Deal desk approval", "VP approval (escalated)"])
        #expect(run.result == ["outcome": "approved", "by": "vp@acme.example", "discount": 35])
        #expect(run.sent.count == 2)
        #expect(run.sent[0].contains("Discount for Acme GmbH is waiting: http://localhost:7420/a/apr_"))
        #expect(run.sent[1].hasPrefix("PATCH https://crm.example/deals/D1 "))
        #expect(run.status == "Escalated to the VP of Sales")
    }

    @Test func `what the VP does not decide either expires`() async throws {
        let run = try await run { _, _ in false }
        #expect(run.asked.count == 2 && run.result == ["outcome": "expired"])
        #expect(run.sent.count == 2 && run.sent[1].contains("No decision in time; please resubmit."))
    }
}
