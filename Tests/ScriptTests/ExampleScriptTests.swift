import Foundation
import Perigee
import PerigeeJournal
import PerigeeSQLite
import PerigeeTesting
import Synchronization
import Testing

/// The scripts that ship, each run by a host against the mocks that ship.
@Suite("The example scripts", .timeLimit(.minutes(5)))
struct ExampleScriptTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Remembers what was sent, and answers from the mocks.
    private final class Recorder: HTTPTransport {
        private let mocks = MockTransport(
            folder: ExampleScriptTests.root.appendingPathComponent("mocks").path, sleep: { _ in })
        private let override: @Sendable (HTTPRequest) -> HTTPReply?
        private let seen = Mutex<[HTTPRequest]>([])

        init(_ override: @escaping @Sendable (HTTPRequest) -> HTTPReply? = { _ in nil }) {
            self.override = override
        }

        var calls: [String] { seen.withLock { $0 }.map { "\($0.method) \($0.url)" } }
        var bodies: [JSON?] { seen.withLock { $0 }.map { try? JSON(parsing: $0.body) } }

        func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPReply {
            seen.withLock { $0.append(request) }
            if let reply = override(request) { return reply }
            return try await mocks.send(request)
        }
    }

    private func run(
        _ event: String, _ data: JSON, world: Recorder = Recorder(),
        decide: (@Sendable (WorkflowHost, Wait) async throws -> Void)? = nil
    ) async throws -> RunRecord {
        var options = HostOptions()
        options.settings = Settings(secret: { _ in "secret" }, config: { _ in nil })
        let clock = ManualClock()
        let host = WorkflowHost(
            journal: MemoryJournal(),
            scripts: try ShippedScripts.folder(of: ["hello_approval", "lead_routing"]),
            http: world,
            ambient: clock, options: options)
        let running = Task { try await host.run() }
        try await host.waitUntilReady()
        #expect(host.workflows.allSatisfy { $0.error == nil })
        let activity = host.activity()
        let receipt = try #require(try await host.send([NewEvent(type: event, data: data)]).first?.get())
        let id = try #require(receipt.runs.first)
        var record = try await host.run(id: id)
        for await _ in activity {
            record = try await host.run(id: id)
            if record.status.isFinal || record.status == .attention { break }
            if let wait = record.waits.first, let decide { try await decide(host, wait) }
            clock.advance(milliseconds: 2000)
        }
        running.cancel()
        try await running.value
        return record
    }

    @Test("hello_approval sends the quote that a manager approved, after the quote service came back")
    func helloApproval() async throws {
        let world = Recorder()
        let run = try await run(
            "demo.requested", ["customer": "42", "amount": 12000, "discount": 15], world: world
        ) { host, wait in
            guard case .approval = wait.kind else { return }
            _ = try? await host.decide(approval: wait.id, outcome: "approve", by: "mia", comment: "ok")
        }
        #expect(run.status == .completed, "\(run.error.map { String(decoding: $0, as: UTF8.self) } ?? "")")
        #expect(
            try run.output.map { try JSON(parsing: $0) } == [
                "outcome": "sent", "quote": "Q-1001", "approved_by": "mia",
            ])
        #expect(
            world.calls == [
                "GET https://crm.example/customers/42", "POST https://quotes.example/quotes",
                "POST https://quotes.example/quotes", "POST https://quotes.example/quotes/Q-1001/send",
            ])
    }

    @Test("hello_approval sends nothing that was rejected")
    func helloRejected() async throws {
        let world = Recorder()
        let run = try await run(
            "demo.requested", ["customer": "42", "amount": 1, "discount": 15], world: world
        ) { host, wait in
            _ = try? await host.decide(approval: wait.id, outcome: "reject", by: "mia")
        }
        #expect(try run.output.map { try JSON(parsing: $0) } == ["outcome": "reject", "quote": "Q-1001"])
        #expect(!world.calls.contains { $0.hasSuffix("/send") })
    }

    @Test("lead_routing gives a large company to the enterprise team of its region")
    func leadRouting() async throws {
        let world = Recorder()
        let run = try await run(
            "lead.created", ["id": "L1", "email": "ana@acme.example", "country": "DE"], world: world)
        #expect(run.status == .completed, "\(run.error.map { String(decoding: $0, as: UTF8.self) } ?? "")")
        #expect(run.key == "lead:L1")
        #expect(
            try run.output.map { try JSON(parsing: $0) } == [
                "team": "enterprise-emea", "because": "1,000 or more employees",
            ])
        #expect(world.bodies.last??["channel"] == "#leads-enterprise-emea")
    }

    @Test("lead_routing goes on without the vendor, by what the form says")
    func leadWithoutVendor() async throws {
        let world = Recorder { $0.url.contains("enrich.example") ? HTTPReply(status: 404) : nil }
        let run = try await run(
            "lead.created", ["id": "L2", "email": "ana@acme.example", "employees": 250, "country": "US"],
            world: world)
        #expect(try run.output.map { try JSON(parsing: $0) }?["team"] == "midmarket-amer")
    }

    @Test("lead_routing knows no size, and leaves the lead to itself")
    func leadUnknown() async throws {
        let world = Recorder { $0.url.contains("enrich.example") ? HTTPReply(status: 404) : nil }
        let run = try await run("lead.created", ["id": "L3", "email": "ana@acme.example"], world: world)
        #expect(try run.output.map { try JSON(parsing: $0) }?["team"] == "self-serve")
    }

    @Test(
        "lead_routing falls back to the round robin when the team is full, and to a person when the CRM refuses"
    )
    func leadFull() async throws {
        let run = try await run("lead.created", ["id": "full-1", "email": "ana@acme.example"])
        #expect(try run.output.map { try JSON(parsing: $0) }?["team"] == nil)
        #expect(run.status == .attention)
        let once = Mutex(false)
        let world = Recorder { request in
            guard request.url.hasSuffix("/assign") else { return nil }
            let first = once.withLock { seen in
                defer { seen = true }
                return !seen
            }
            return HTTPReply(status: first ? 409 : 200)
        }
        let second = try await self.run(
            "lead.created", ["id": "L4", "email": "ana@acme.example"], world: world)
        #expect(try second.output.map { try JSON(parsing: $0) }?["team"] == "round-robin")
    }
}
