import Foundation
import Logging
import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

/// The scripts that ship, run by a host against the mocks that ship.
enum ShippedScripts {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// What a test does about a wait; without an answer the clock moves on to its end.
    enum Answer: Sendable {
        case decide(String, by: String = "boss@acme.example", comment: String? = nil, form: JSON? = nil)
        case send(String, JSON)
    }

    /// Remembers what was sent, and answers from the mocks unless the test has another answer.
    final class World: HTTPTransport {
        typealias Override = @Sendable (HTTPRequest) -> HTTPReply?

        private let mocks = MockTransport(
            folder: ShippedScripts.root.appendingPathComponent("mocks").path, sleep: { _ in })
        private let override: Override
        private let seen = Mutex<[HTTPRequest]>([])

        init(_ override: @escaping Override = { _ in nil }) { self.override = override }

        var requests: [HTTPRequest] { seen.withLock { $0 } }
        /// Method, host and path, each once for every idempotency key or attempt.
        var calls: [String] {
            requests.map { request in
                let url = URLComponents(string: request.url)
                return "\(request.method) \(url?.host ?? "")\(url?.path ?? "")"
            }
        }

        func bodies(_ path: String) -> [JSON] {
            requests.filter { $0.url.contains(path) }.compactMap { try? JSON(parsing: $0.body) }
        }

        func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPReply {
            seen.withLock { $0.append(request) }
            if let reply = override(request) { return reply }
            return try await mocks.send(request)
        }
    }

    /// A folder with some of the scripts and their modules: others would start by themselves as the clock moves.
    static func folder(of workflows: [String]) throws -> String {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent(
                "perigee-scripts-\(workflows.joined(separator: "-"))-\(UUID().uuidString)")
        let shipped = root.appendingPathComponent("scripts")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["lib"] + workflows.map({ $0 + ".lua" }) {
            try FileManager.default.copyItem(
                at: shipped.appendingPathComponent(name), to: folder.appendingPathComponent(name))
        }
        return folder.path
    }

    static func host(
        _ journal: any Journal, of workflows: [String], world: World, clock: ManualClock
    ) throws -> WorkflowHost {
        var options = HostOptions()
        options.settings = Settings(secret: { _ in "secret" }, config: { _ in nil })
        options.residentRuns = 0
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return WorkflowHost(
            journal: journal, scripts: try folder(of: workflows), http: world, ambient: clock,
            options: options, logger: logger)
    }

    /// Starts a run of a script and drives it to its end.
    ///
    /// - Parameter answer: what to do about what it waits for.
    static func run(
        _ workflow: String, _ input: JSON, with others: [String] = [], world: World = World(),
        clock: ManualClock = ManualClock(),
        answer: @escaping @Sendable (Wait) -> Answer? = { _ in nil }
    ) async throws -> RunRecord {
        let host = try host(MemoryJournal(), of: [workflow] + others, world: world, clock: clock)
        return try await withRunning(host) {
            let started = try await host.start([NewStart(workflow: workflow, input: input)]).first?.get()
            return try await drive(host, try #require(started).id, clock, answer)
        }
    }

    static func withRunning<Value>(_ host: WorkflowHost, _ body: () async throws -> Value) async throws
        -> Value
    {
        let running = Task { try await host.run() }
        try await host.waitUntilReady()
        #expect(host.workflows.allSatisfy { $0.error == nil })
        defer { running.cancel() }
        let value = try await body()
        running.cancel()
        try await running.value
        return value
    }

    /// Answers what a run waits for until it has ended.
    ///
    /// - Parameter goesOn: whether the host can still take it there.
    static func drive(
        _ host: WorkflowHost, _ id: String, _ clock: ManualClock, while goesOn: () -> Bool = { true },
        _ answer: @Sendable (Wait) -> Answer?
    ) async throws -> RunRecord {
        var answered: Set<String> = []
        while true {
            let run = try await host.run(id: id)
            if run.status.isFinal || run.status == .attention || !goesOn() { return run }
            for wait in run.waits where !answered.contains(wait.id) {
                switch answer(wait) {
                case .decide(let outcome, let by, let comment, let form):
                    answered.insert(wait.id)
                    _ = try? await host.decide(
                        approval: wait.id, outcome: outcome, by: by, comment: comment, form: form)
                case .send(let type, let data):
                    answered.insert(wait.id)
                    _ = try await host.send([NewEvent(type: type, data: data)])
                case nil: break
                }
            }
            let isWaiting = run.status == .waiting && run.waits.allSatisfy { !answered.contains($0.id) }
            // Retries wait on the clock, too.
            let due = [isWaiting ? run.waits.compactMap(\.dueAt).min() : nil, clock.nextWake].compactMap {
                $0
            }.min()
            if let due {
                clock.advance(milliseconds: max(1, min(due.milliseconds - clock.now.milliseconds, 400)))
            }
            if isWaiting, let end = run.waits.compactMap(\.dueAt).min() {
                clock.advance(milliseconds: max(1, end.milliseconds - clock.now.milliseconds))
            }
            await Task.yield()
        }
    }
}

extension RunRecord {
    var result: JSON? { output.flatMap { try? JSON(parsing: $0) } }
    var problem: JSON? { error.flatMap { try? JSON(parsing: $0) } }
}
