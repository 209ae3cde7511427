import Foundation
import Logging
import Perigee
import PerigeeJournal
import PerigeeSQLite
import Synchronization

/// A host on a new SQLite file, working until it is ended.
final class BenchmarkHost: Sendable {
    let host: WorkflowHost
    let folder: URL
    private let journal: SQLiteJournal
    private let commits: CommitCount
    private let task: Task<Void, any Error>

    /// - Parameters:
    ///   - scripts: the texts of the scripts by workflow.
    ///   - residentRuns: how many waiting runs stay in memory; `nil` for the default.
    ///   - http: sends the calls of the scripts.
    init(
        scripts: [String: String], residentRuns: Int? = nil, shards: Int? = nil,
        http: (any HTTPTransport)? = nil
    ) async throws {
        folder = try BenchmarkHost.makeFolder()
        let scriptsFolder = folder.appendingPathComponent("scripts")
        try FileManager.default.createDirectory(at: scriptsFolder, withIntermediateDirectories: true)
        for (name, body) in scripts {
            let text = "return workflow { name = \"\(name)\", run = function(input)\n\(body)\nend }\n"
            try Data(text.utf8).write(to: scriptsFolder.appendingPathComponent(name + ".lua"))
        }
        let commits = CommitCount()
        self.commits = commits
        journal = try SQLiteJournal(path: folder.appendingPathComponent("bench.db").path) { _, phase in
            if case .afterCommit = phase { commits.add() }
        }
        var options = HostOptions()
        if let residentRuns { options.residentRuns = residentRuns }
        if let shards { options.shards = shards }
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        let host = WorkflowHost(
            journal: journal, scripts: scriptsFolder.path, http: http, options: options, logger: logger)
        self.host = host
        task = Task { try await host.run() }
        try await host.waitUntilReady()
    }

    /// A new directory on the disk that is measured.
    static func makeFolder() throws -> URL {
        let base = ProcessInfo.processInfo.environment["PERIGEE_BENCH_DIR"] ?? ".build/bench"
        let folder = URL(fileURLWithPath: base).appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    /// How many transactions were durable so far.
    var commitCount: Int { commits.value }

    /// Ends the host and closes its file.
    func stop() async throws {
        task.cancel()
        try await task.value
        try journal.close()
    }

    func removeFiles() {
        try? FileManager.default.removeItem(at: folder)
    }

    /// Starts runs, all in one commit; their ids.
    func start(_ workflow: String, _ inputs: [JSON] = [[:]]) async throws -> [String] {
        try await host.start(inputs.map { NewStart(workflow: workflow, input: $0) }).map { try $0.get().id }
    }

    /// Waits for the end of a run, which must be a good one.
    func end(_ id: String) async throws {
        let run = try await host.waitForEnd(run: id, timeoutMilliseconds: 120_000)
        guard run.status == .completed else {
            let error = run.error.map { String(decoding: $0, as: UTF8.self) } ?? ""
            throw BenchmarkError("The run \(id) is \(run.status) and should be completed. \(error)")
        }
    }

    /// Waits until every run waits or has ended.
    func untilIdle() async throws { try await untilNone(is: [.queued, .running]) }

    /// Waits until no run is in one of these statuses.
    func untilNone(is statuses: Set<RunStatus>) async throws {
        let query = RunQuery(namespace: host.namespace, statuses: statuses, limit: 1)
        while try await !host.runs(query).runs.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
    }
}

/// Counts the transactions that the writer made durable.
private final class CommitCount: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .relaxed) }

    func add() {
        count.add(1, ordering: .relaxed)
    }
}
