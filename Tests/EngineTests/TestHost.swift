import Foundation
import Logging
import Perigee
import PerigeeJournal
import PerigeeSQLite
import PerigeeTesting
import Synchronization
import Testing

/// Where a test's runs are kept, and whether waiting runs stay in memory.
struct Setting: CustomTestStringConvertible, Sendable {
    var isSQLite: Bool
    var alwaysEvict: Bool

    static let all = [
        Setting(isSQLite: false, alwaysEvict: false), Setting(isSQLite: false, alwaysEvict: true),
        Setting(isSQLite: true, alwaysEvict: false), Setting(isSQLite: true, alwaysEvict: true),
    ]

    var testDescription: String { "\(isSQLite ? "SQLite" : "memory")\(alwaysEvict ? ", always evict" : "")" }
}

/// Answers calls as a test says, and counts them by idempotency key.
final class FakeWorld: HTTPTransport {
    typealias Answer = @Sendable (HTTPRequest) throws(HTTPFailure) -> HTTPReply

    private let answer: Answer
    private let hold: @Sendable (HTTPRequest) async -> Void
    private let seen = Mutex<[HTTPRequest]>([])
    private let watchers = Mutex<[(count: Int, arrived: CheckedContinuation<Void, Never>)]>([])

    /// - Parameter hold: returns when the request, which has arrived, is to be answered.
    init(
        _ answer: @escaping Answer = { _ in .json(200, "{}") },
        hold: @escaping @Sendable (HTTPRequest) async -> Void = { _ in }
    ) {
        self.answer = answer
        self.hold = hold
    }

    var requests: [HTTPRequest] { seen.withLock { $0 } }
    var calls: [String] { requests.map { "\($0.method) \($0.url)" } }

    /// Returns once so many requests have arrived in all.
    func arrivals(_ count: Int) async {
        await withCheckedContinuation { arrived in
            let isLate = watchers.withLock { watchers in
                guard requests.count < count else { return true }
                watchers.append((count, arrived))
                return false
            }
            if isLate { arrived.resume() }
        }
    }

    func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPReply {
        let count = seen.withLock { seen in
            seen.append(request)
            return seen.count
        }
        let told = watchers.withLock { watchers in
            defer { watchers.removeAll { $0.count <= count } }
            return watchers.filter { $0.count <= count }
        }
        for watcher in told { watcher.arrived.resume() }
        await hold(request)
        return try answer(request)
    }
}

extension HTTPReply {
    static func json(_ status: Int, _ text: String) -> HTTPReply {
        HTTPReply(status: status, headers: [("Content-Type", "application/json")], body: Array(text.utf8))
    }
}

extension HTTPRequest {
    func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// A host with a folder of scripts, a clock that the test moves, and a world that the test plays.
final class TestHost: Sendable {
    let host: WorkflowHost
    let clock: ManualClock
    let journal: any Journal
    let world: FakeWorld
    let folder: URL
    private let task = Mutex<Task<Void, any Error>?>(nil)

    init(
        _ setting: Setting = Setting(isSQLite: false, alwaysEvict: false), scripts: [String: String],
        world: FakeWorld = FakeWorld(), clock: ManualClock = ManualClock(), ambient: (any Ambient)? = nil,
        journal: (any Journal)? = nil, folder: URL? = nil, configure: (inout HostOptions) -> Void = { _ in }
    ) throws {
        self.folder =
            folder
            ?? FileManager.default.temporaryDirectory.appendingPathComponent("perigee-\(UUID().uuidString)")
        self.clock = clock
        self.world = world
        let scriptsFolder = self.folder.appendingPathComponent("scripts")
        try FileManager.default.createDirectory(at: scriptsFolder, withIntermediateDirectories: true)
        for (name, text) in scripts { try TestHost.write(text, to: name, in: scriptsFolder) }
        self.journal =
            try journal
            ?? (setting.isSQLite
                ? SQLiteJournal(path: self.folder.appendingPathComponent("test.db").path) : MemoryJournal())
        var options = HostOptions()
        let alwaysEvicts = ProcessInfo.processInfo.environment["PERIGEE_ALWAYS_EVICT"] != nil
        options.residentRuns = setting.alwaysEvict || alwaysEvicts ? 0 : 100
        options.settings = Settings(
            secret: { ["TOKEN": "s3cret"][$0] }, config: { ["REGION": "emea"][$0] })
        options.drainMilliseconds = 2000
        configure(&options)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        host = WorkflowHost(
            journal: self.journal, scripts: scriptsFolder.path, http: world, ambient: ambient ?? clock,
            options: options,
            logger: logger)
    }

    static func write(_ text: String, to name: String, in folder: URL) throws {
        let file = folder.appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    var scripts: URL { folder.appendingPathComponent("scripts") }

    /// Runs the host while the body runs, and ends it in an orderly way.
    func run(_ body: (TestHost) async throws -> Void) async throws {
        try await start()
        do { try await body(self) } catch {
            try await stop()
            throw error
        }
        try await stop()
    }

    func start() async throws {
        let (signals, signal) = AsyncStream.makeStream(of: Bool.self)
        let running = Task {
            defer { signal.yield(false) }
            try await host.run()
        }
        task.withLock { $0 = running }
        let waiting = Task {
            try await host.waitUntilReady()
            signal.yield(true)
        }
        // A host that can't begin says why.
        if await signals.first(where: { _ in true }) == false {
            waiting.cancel()
            try await running.value
        }
    }

    func stop() async throws {
        let running = task.withLock { $0 }
        running?.cancel()
        try await running?.value
        try (journal as? SQLiteJournal)?.close()
    }

    /// Starts a run.
    func begin(_ workflow: String, _ input: JSON = .object([:]), key: String? = nil) async throws -> RunRecord
    {
        let started = try await host.start([NewStart(workflow: workflow, input: input, key: key)])
        return try #require(try started.first?.get())
    }

    /// Tells the host an event; the runs that it started.
    func send(_ type: String, _ data: JSON, id: String? = nil) async throws -> EventReceipt {
        try #require(try await host.send([NewEvent(type: type, data: data, id: id)]).first?.get())
    }

    /// The run once it is in a status; waits for the host's own signals.
    func run(_ id: String, reaches status: RunStatus) async throws -> RunRecord {
        try await until(id) { $0.status == status }
    }

    func until(_ id: String, _ condition: (RunRecord) -> Bool) async throws -> RunRecord {
        let changes = host.activity()
        var run = try await host.run(id: id)
        if condition(run) { return run }
        for await change in changes {
            guard case .runChanged(let changed) = change, changed == id else { continue }
            run = try await host.run(id: id)
            if condition(run) { return run }
            if run.status.isFinal || run.status == .attention {
                Issue.record(
                    "the run is \(run.status): \(run.error.map { String(decoding: $0, as: UTF8.self) } ?? "")"
                )
                return run
            }
        }
        return run
    }

    /// Starts a run and waits for its end, or its need of attention.
    func result(of workflow: String, _ input: JSON = .object([:])) async throws -> RunRecord {
        try await end(try await begin(workflow, input).id)
    }

    /// The run's end, or its need of attention.
    func end(_ id: String) async throws -> RunRecord {
        try await until(id) { $0.status.isFinal || $0.status == .attention }
    }
}

extension RunRecord {
    var result: JSON? { output.flatMap { try? JSON(parsing: $0) } }
    var problem: JSON? { error.flatMap { try? JSON(parsing: $0) } }
}

/// A script around the body of `run`.
func script(_ body: String, options: String = "") -> String {
    "return workflow { name = \"Test\", \(options) run = function(input)\n\(body)\nend }\n"
}
