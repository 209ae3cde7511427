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

    nonisolated(nonsending) public func commit(_ commits: [Commit]) async throws -> [Result<
        CommitReceipt, JournalError
    >] {
        state.withLock { state in commits.map { state.commit($0) } }
    }

    public func submit(
        _ submissions: [Submission], now: Timestamp, claimant: Claimant?
    ) async throws -> [Result<SubmissionReceipt, JournalError>] {
        var claimant = claimant
        return state.withLock { state in
            submissions.map { submission in
                Result { () throws(JournalError) in
                    let receipt = try state.accept(submission, now: now, claimant)
                    claimant?.limit -= receipt.claimed.count
                    return receipt
                }
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

    public func act(
        on run: String, _ action: RunAction, note: ActionNote, now: Timestamp
    ) async throws -> ActionResult? {
        state.withLock { $0.act(on: run, action, note: note, now: now) }
    }

    public func audit(_ query: AuditQuery) async throws -> AuditPage {
        try checkLimit(query.limit, 1...500)
        return state.withLock { $0.audit(query) }
    }

    public func createBatch(_ batch: Batch, runs: [String]) async throws -> Batch {
        let created = state.withLock { state in
            Result { () throws(JournalError) in try state.createBatch(batch, runs: runs) }
        }
        return try created.get()
    }

    public func steerBatch(
        _ id: String, to status: Batch.Status, note: ActionNote, now: Timestamp
    ) async throws -> (batch: Batch, isChanged: Bool)? {
        state.withLock { $0.steerBatch(id, to: status, note: note, now: now) }
    }

    public func refuseItem(batch: String, run: String, error: Payload, now: Timestamp) async throws {
        state.withLock { $0.refuseItem(batch: batch, run: run, error: error, now: now) }
    }

    public func batch(id: String) async throws -> Batch? {
        state.withLock { $0.batches[id] }
    }

    public func batches(namespace: String, isFinal: Bool?, limit: Int) async throws -> [Batch] {
        try checkLimit(limit, 1...500)
        return state.withLock { $0.batches(namespace: namespace, isFinal: isFinal, limit: limit) }
    }

    public func batchItems(_ query: BatchItemQuery) async throws -> [BatchItem] {
        try checkLimit(query.limit, 1...500)
        return state.withLock { $0.items(query) }
    }

    public func activeRuns(batch: String) async throws -> Int {
        state.withLock { $0.activeRuns(batch: batch) }
    }

    public func version(namespace: String, workflow: String, number: Int) async throws -> WorkflowVersion? {
        state.withLock { $0.version(namespace: namespace, workflow: workflow, number: number) }
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

    public func saveSecret(
        _ secret: SealedSecret, replacing: Payload?, note: ActionNote, now: Timestamp
    ) async throws -> SealedSecret? {
        state.withLock { $0.saveSecret(secret, replacing: replacing, note: note, now: now) }
    }

    public func removeSecret(
        _ name: String, namespace: String, note: ActionNote, now: Timestamp
    ) async throws -> SealedSecret? {
        state.withLock { $0.removeSecret(name, namespace: namespace, note: note, now: now) }
    }

    public func secret(_ name: String, namespace: String) async throws -> SealedSecret? {
        state.withLock { $0.secrets[MemoryState.Name(namespace: namespace, first: name)] }
    }

    public func secrets(namespace: String) async throws -> [SealedSecret] {
        state.withLock { $0.secrets(namespace: namespace) }
    }

    public func schedules(namespace: String) async throws -> [ScheduleRecord] {
        state.withLock { $0.schedules(namespace: namespace) }
    }

    public func advance(_ advance: ScheduleAdvance, now: Timestamp) async throws -> ScheduleReceipt? {
        try state.withLock { try $0.advance(advance, now: now) }
    }

    public func space() async throws -> StoreSpace { StoreSpace() }

    public func giveBack(bytes: Int) async throws -> StoreSpace {
        try checkLimit(bytes, 1...Int.max)
        return StoreSpace()
    }

    public func copyLog() async throws -> StoreSpace { StoreSpace() }

    public func checkWritable() async throws {}

    /// Always 0, so that what is tried with it can be tried again.
    public func hashSeed() async throws -> UInt32 { 0 }
}
