import Synchronization

/// A journal in memory: the reference model of what every store does, and the store for tests.
///
/// It keeps plain values behind one lock. Nothing outlives the process.
public final class MemoryJournal: Journal {
    private let state = Mutex(MemoryState())

    /// Creates an empty journal.
    public init() {}

    public func heartbeat(host: String, now: Timestamp, leaseUntil: Timestamp) async throws -> Heartbeat {
        state.withLock { $0.heartbeat(host: host, now: now, leaseUntil: leaseUntil) }
    }

    public func release(host: String, now: Timestamp) async throws {
        state.withLock { $0.release(host: host, now: now) }
    }

    public func claim(
        host: String, namespace: String, now: Timestamp, limit: Int, only: Int64?
    ) async throws -> Claim {
        try checkLimit(limit, 1...Int.max)
        return state.withLock {
            $0.claim(host: host, namespace: namespace, now: now, limit: limit, only: only)
        }
    }

    public func commit(_ commits: [Commit]) async throws -> [Result<CommitReceipt, JournalError>] {
        state.withLock { state in commits.map { state.commit($0) } }
    }

    public func submit(
        _ submissions: [Submission], now: Timestamp
    ) async throws -> [Result<SubmissionReceipt, JournalError>] {
        state.withLock { state in
            submissions.map { submission in
                Result { () throws(JournalError) in try state.accept(submission, now: now) }
            }
        }
    }

    public func decide(
        approval: String, _ decision: Decision
    ) async throws -> (approval: ApprovalRecord, isNew: Bool)? {
        state.withLock { $0.decide(approval: approval, decision) }
    }

    public func remind(
        _ reminders: [Reminder], now: Timestamp
    ) async throws -> [Result<ReminderReceipt, JournalError>] {
        state.withLock { state in reminders.map { state.remind($0, now: now) } }
    }

    public func cancel(run: String, error: Payload, isForced: Bool, now: Timestamp) async throws
        -> Cancellation?
    {
        state.withLock { $0.cancel(run: run, error: error, isForced: isForced, now: now) }
    }

    public func saveVersion(
        namespace: String, workflow: String, bundle: String, files: [String: String],
        rules: WorkflowRules, now: Timestamp
    ) async throws -> WorkflowVersion {
        guard !files.isEmpty else { throw JournalError.invalid("a version needs at least one text") }
        try rules.check()
        return state.withLock {
            $0.saveVersion(
                namespace: namespace, workflow: workflow, bundle: bundle, files: files,
                rules: rules, now: now)
        }
    }

    public func files(bundle: String) async throws -> [String: String]? {
        state.withLock { $0.bundles[bundle] }
    }

    public func entries(run: Int64, after: Int, limit: Int) async throws -> [Entry] {
        try checkLimit(limit, 1...Int.max)
        return state.withLock { $0.entries(run: run, after: after, limit: limit) }
    }

    public func run(id: String) async throws -> RunRecord? {
        state.withLock { state in state.runNumbers[id].map { state.shown($0) } }
    }

    public func relations(run id: String) async throws -> RunRelations? {
        state.withLock { $0.relations(run: id) }
    }

    public func state(namespace: String, workflow: String, key: String) async throws -> Payload? {
        state.withLock {
            $0.values[MemoryState.Name(namespace: namespace, first: workflow, second: key)]
        }
    }

    public func runs(_ query: RunQuery) async throws -> RunPage {
        try checkLimit(query.limit, 1...500)
        return state.withLock { $0.runs(query) }
    }

    public func history(run id: String) async throws -> RunHistory? {
        state.withLock { state in
            state.runNumbers[id].map { number in
                RunHistory(
                    run: state.shown(number), entries: state[number].entries,
                    annotations: state[number].annotations)
            }
        }
    }

    public func approval(id: String) async throws -> ApprovalRecord? {
        state.withLock { $0.approvals[id] }
    }

    public func approvals(
        namespace: String, status: ApprovalStatus?, kinds: Set<ApprovalKind>, limit: Int
    ) async throws -> [ApprovalRecord] {
        try checkLimit(limit, 1...500)
        return state.withLock {
            $0.approvals(namespace: namespace, status: status, kinds: kinds, limit: limit)
        }
    }

    public func dueReminders(namespace: String, now: Timestamp, limit: Int) async throws -> DueReminders {
        try checkLimit(limit, 1...500)
        return state.withLock { $0.dueReminders(namespace: namespace, now: now, limit: limit) }
    }

    public func removeExpired(_ expiry: Expiry, now: Timestamp) async throws -> Removal {
        try checkLimit(expiry.limit, 1...Int.max)
        return state.withLock { $0.removeExpired(expiry, now: now) }
    }

    public func schedules(namespace: String) async throws -> [ScheduleRecord] {
        state.withLock { $0.schedules(namespace: namespace) }
    }

    public func advance(_ advance: ScheduleAdvance, now: Timestamp) async throws -> ScheduleReceipt? {
        try state.withLock { try $0.advance(advance, now: now) }
    }

    public func checkWritable() async throws {}
}
