public import PerigeeJournal

/// Something that a person asks for many runs.
public struct NewBatch: Sendable {
    /// One of ``WorkflowHost/batchActions``.
    public var request: RunRequest
    /// The search that the runs were found by, to be shown.
    public var search: String
    public var by: String
    public var reason: String?
    /// At most this many of the runs are queued or running at once, 1 or more; `nil` for any number.
    public var atOnce: Int?
    /// At most this many runs are acted on in a minute, 1 or more; `nil` for any number.
    public var perMinute: Int?

    public init(
        request: RunRequest, search: String, by: String, reason: String? = nil, atOnce: Int? = nil,
        perMinute: Int? = nil
    ) {
        self.request = request
        self.search = search
        self.by = by
        self.reason = reason
        self.atOnce = atOnce
        self.perMinute = perMinute
    }
}

extension WorkflowHost {
    // MARK: Batches

    /// The most runs that a batch is about.
    public static let maxBatchRuns = 100_000

    /// What can be done to many runs at once.
    public static let batchActions: [RunRequest] = [
        .cancel, .terminate, .pause, .resume, .retry(.same), .retry(.newest),
    ]

    /// Does something to many runs, one after the other, in the background; the runs do not change any more.
    ///
    /// It goes on after a crash, and acts on no run twice.
    ///
    /// - Parameter runs: public ids, at most ``maxBatchRuns``.
    /// - Throws: ``HostError`` for an action that is none of ``batchActions``, too many runs, or a bound that is not
    ///   positive; ``JournalError`` if the store fails.
    public func createBatch(_ new: NewBatch, runs: [String]) async throws -> Batch {
        guard WorkflowHost.batchActions.contains(new.request) else {
            throw HostError.invalid(
                "\"\(new.request.name)\" can't be done to many runs.",
                hint: "It is done to one step of one run.")
        }
        guard runs.count <= WorkflowHost.maxBatchRuns else { throw HostError.tooManyRuns(runs.count) }
        guard (new.atOnce ?? 1) >= 1, (new.perMinute ?? 1) >= 1 else {
            throw HostError.invalid(
                "A batch can't act on less than one run.", hint: "`at_once` and `per_minute` are 1 or more.")
        }
        let note = try note(new.request.name, by: new.by, reason: new.reason)
        var options: [String: JSON] = [:]
        if case .retry(let version) = new.request { options["version"] = .string(version.rawValue) }
        let batch = Batch(
            id: ambient.identifier("bat"), namespace: namespace, action: new.request.name,
            options: JSON.object(options).bytes, search: String(new.search.prefix(4096)), by: note.by,
            reason: note.reason, atOnce: new.atOnce, perMinute: new.perMinute, createdAt: ambient.now)
        let made = try await journal.createBatch(batch, runs: runs)
        batchRunner.poke()
        return made
    }

    /// Pauses a batch, lets it go on, or ends it; what it did stays done.
    ///
    /// - Throws: ``HostError`` if there is no such batch or it has ended; ``JournalError`` if the store fails.
    public func steerBatch(
        _ id: String, to status: Batch.Status, by: String, reason: String? = nil
    ) async throws -> Batch {
        let names: [Batch.Status: String] = [.running: "resume", .paused: "pause", .aborted: "abort"]
        let note = try note("batch.\(names[status] ?? status.rawValue)", by: by, reason: reason)
        _ = try await batch(id: id)
        guard
            let (batch, isChanged) = try await journal.steerBatch(
                id, to: status, note: note, now: ambient.now)
        else { throw HostError.unknownBatch(id) }
        guard isChanged else { throw HostError.batchNotNow(batch) }
        batchRunner.poke()
        return batch
    }

    /// A batch as it stands.
    ///
    /// - Throws: ``HostError`` if there is none; ``JournalError`` if the store fails.
    public func batch(id: String) async throws -> Batch {
        guard let batch = try await journal.batch(id: id), batch.namespace == namespace else {
            throw HostError.unknownBatch(id)
        }
        return batch
    }

    /// Batches, newest first.
    ///
    /// - Parameter limit: at most this many, 1 to 500.
    /// - Throws: ``JournalError`` if the store fails.
    public func batches(limit: Int = 50) async throws -> [Batch] {
        try await journal.batches(namespace: namespace, isFinal: nil, limit: limit)
    }

    /// The runs of a batch, each with what became of it.
    ///
    /// - Throws: ``JournalError`` if the store fails.
    public func batchItems(_ query: BatchItemQuery) async throws -> [BatchItem] {
        try await journal.batchItems(query)
    }
}

extension HostError {
    static func unknownBatch(_ id: String) -> HostError {
        HostError(
            code: "PG4140", status: 404, title: "Unknown batch", message: "There is no batch \"\(id)\".",
            hint: "GET /v1/batches lists them.")
    }

    static func batchNotNow(_ batch: Batch) -> HostError {
        HostError(
            code: "PG4141", status: 409, title: "Not possible now",
            message: "The batch \(batch.id) is \(batch.status.rawValue).", hint: "Nothing was changed.")
    }

    static func tooManyRuns(_ count: Int) -> HostError {
        HostError(
            code: "PG4142", status: 413, title: "Too many runs",
            message: "The search finds \(count) runs or more; a batch takes \(WorkflowHost.maxBatchRuns).",
            hint: "Narrow the search, and make several batches.")
    }
}
