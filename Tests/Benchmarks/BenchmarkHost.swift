import Foundation
import Logging
import Perigee
import PerigeeJournal
import PerigeeSQLite
import Synchronization

/// A host on a SQLite file, working until it is ended.
final class BenchmarkHost: Sendable {
    let host: WorkflowHost
    let folder: URL
    private let journal: SQLiteJournal
    private let commits: Count
    /// How many steps stay under way; see `holdsSteps`.
    let heldSteps = Count()
    private let task: Task<Void, any Error>

    /// - Parameters:
    ///   - scripts: by workflow, what its `run` does, or the whole script, which begins with `return workflow`.
    ///   - folder: one that another host has left; `nil` for a new one.
    ///   - http: sends the calls of the scripts.
    ///   - holdsSteps: whether a step `bench.hold` never comes back.
    ///   - configure: changes the host's options.
    init(
        scripts: [String: String], folder: URL? = nil, http: (any HTTPTransport)? = nil,
        holdsSteps: Bool = false,
        configure: (inout HostOptions) -> Void = { _ in }
    ) async throws {
        self.folder = try folder ?? BenchmarkHost.makeFolder()
        let scriptsFolder = self.folder.appendingPathComponent("scripts")
        try FileManager.default.createDirectory(at: scriptsFolder, withIntermediateDirectories: true)
        for (name, body) in scripts {
            let text =
                body.hasPrefix("return workflow")
                ? body : "return workflow { name = \"\(name)\", run = function(input)\n\(body)\nend }\n"
            try Data(text.utf8).write(to: scriptsFolder.appendingPathComponent(name + ".lua"))
        }
        let commits = Count()
        self.commits = commits
        journal = try SQLiteJournal(path: BenchmarkHost.database(in: self.folder)) { _, phase in
            if case .afterCommit = phase { commits.add() }
        }
        var options = HostOptions()
        configure(&options)
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        let host = WorkflowHost(
            journal: journal, scripts: scriptsFolder.path, http: http, options: options, logger: logger)
        BenchmarkSteps.register(on: host, holding: holdsSteps ? heldSteps : nil)
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

    /// The path of the database in a host's folder.
    static func database(in folder: URL) -> String { folder.appendingPathComponent("bench.db").path }

    /// The size of the database, or of its log, in bytes; 0 if there is none.
    func fileSize(ofLog: Bool = false) throws -> Double {
        let path = BenchmarkHost.database(in: folder) + (ofLog ? "-wal" : "")
        guard FileManager.default.fileExists(atPath: path) else { return 0 }
        return try FileManager.default.attributesOfItem(atPath: path)[.size] as? Double ?? 0
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

    /// Starts many runs with the same input, some hundred in a commit.
    func start(_ workflow: String, count: Int, input: JSON = [:]) async throws {
        var left = count
        while left > 0 {
            let batch = min(left, 500)
            _ = try await start(workflow, Array(repeating: input, count: batch))
            left -= batch
        }
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
        while true {
            let start = ContinuousClock.now
            if try await host.runs(query).runs.isEmpty { return }
            // A look takes a tenth of the time at most, however many runs there are.
            try await Task.sleep(for: max(.milliseconds(2), start.duration(to: .now) * 10))
        }
    }
}

/// A number that only grows, by any thread.
final class Count: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .relaxed) }

    func add() {
        count.add(1, ordering: .relaxed)
    }
}
