package import PerigeeJournal
import Synchronization

/// A journal that fails for good at one commit or saved secret, before or after it is durable, as a crash of the host
/// does.
package final class CrashingJournal: Journal {
    package let base: any Journal
    private let left: Mutex<Int?>
    private let isAfter: Bool
    /// Looks at every batch first, and may hold it up.
    private let before: @Sendable ([Commit]) async -> Void
    private let beforeSubmit: @Sendable ([Submission]) async -> Void

    package init(
        _ base: any Journal, at commit: Int?, after: Bool,
        before: @escaping @Sendable ([Commit]) async -> Void = { _ in },
        beforeSubmit: @escaping @Sendable ([Submission]) async -> Void = { _ in }
    ) {
        self.base = base
        self.before = before
        self.beforeSubmit = beforeSubmit
        left = Mutex(commit)
        isAfter = after
    }

    package var hasCrashed: Bool { left.withLock { $0.map { $0 <= 0 } ?? false } }

    private func gate<T: Sendable>(_ body: () async throws -> T) async throws -> T {
        let crashes = left.withLock { left -> Bool in
            guard let count = left else { return false }
            left = count - 1
            return count <= 1
        }
        guard crashes else { return try await body() }
        let isLast = left.withLock { $0 == 0 }
        if isAfter && isLast { _ = try await body() }
        throw JournalError.io(path: "test", detail: "crashed")
    }

    nonisolated(nonsending) package func commit(_ commits: [Commit]) async throws -> [Result<
        CommitReceipt, JournalError
    >] {
        await before(commits)
        return try await gate { try await base.commit(commits) }
    }
    package func heartbeat(host: String, now: Timestamp, leaseUntil: Timestamp) async throws -> Heartbeat {
        try await base.heartbeat(host: host, now: now, leaseUntil: leaseUntil)
    }
    package func release(host: String, now: Timestamp) async throws {
        if hasCrashed { throw JournalError.io(path: "test", detail: "crashed") }
        try await base.release(host: host, now: now)
    }
    package func claim(host: String, namespace: String, now: Timestamp, limit: Int, only: Int64?) async throws
        -> Claim
    {
        if hasCrashed { throw JournalError.io(path: "test", detail: "crashed") }
        return try await base.claim(host: host, namespace: namespace, now: now, limit: limit, only: only)
    }
    package func submit(
        _ submissions: [Submission], now: Timestamp, claimant: Claimant?
    ) async throws -> [Result<SubmissionReceipt, JournalError>] {
        await beforeSubmit(submissions)
        return try await base.submit(submissions, now: now, claimant: claimant)
    }
    package func decide(approval: String, _ decision: Decision) async throws -> (
        approval: ApprovalRecord, isNew: Bool
    )? {
        try await base.decide(approval: approval, decision)
    }
    package func cancel(run: String, error: Payload, isForced: Bool, now: Timestamp) async throws
        -> Cancellation?
    {
        try await base.cancel(run: run, error: error, isForced: isForced, now: now)
    }
    package func act(on run: String, _ action: RunAction, note: ActionNote, now: Timestamp) async throws
        -> ActionResult?
    {
        try await base.act(on: run, action, note: note, now: now)
    }
    package func saveSecret(_ secret: SealedSecret, replacing: Payload?, note: ActionNote, now: Timestamp)
        async throws -> SealedSecret?
    {
        try await gate { try await base.saveSecret(secret, replacing: replacing, note: note, now: now) }
    }
    package func removeSecret(_ name: String, namespace: String, note: ActionNote, now: Timestamp)
        async throws
        -> SealedSecret?
    {
        try await base.removeSecret(name, namespace: namespace, note: note, now: now)
    }
    package func secret(_ name: String, namespace: String) async throws -> SealedSecret? {
        try await base.secret(name, namespace: namespace)
    }
    package func secrets(namespace: String) async throws -> [SealedSecret] {
        try await base.secrets(namespace: namespace)
    }
    package func audit(_ query: AuditQuery) async throws -> AuditPage { try await base.audit(query) }
    package func createBatch(_ batch: Batch, runs: [String]) async throws -> Batch {
        try await base.createBatch(batch, runs: runs)
    }
    package func steerBatch(_ id: String, to status: Batch.Status, note: ActionNote, now: Timestamp)
        async throws
        -> (batch: Batch, isChanged: Bool)?
    {
        try await base.steerBatch(id, to: status, note: note, now: now)
    }
    package func refuseItem(batch: String, run: String, error: Payload, now: Timestamp) async throws {
        try await base.refuseItem(batch: batch, run: run, error: error, now: now)
    }
    package func batch(id: String) async throws -> Batch? { try await base.batch(id: id) }
    package func batches(namespace: String, isFinal: Bool?, limit: Int) async throws -> [Batch] {
        try await base.batches(namespace: namespace, isFinal: isFinal, limit: limit)
    }
    package func batchItems(_ query: BatchItemQuery) async throws -> [BatchItem] {
        try await base.batchItems(query)
    }
    package func activeRuns(batch: String) async throws -> Int { try await base.activeRuns(batch: batch) }
    package func version(namespace: String, workflow: String, number: Int) async throws -> WorkflowVersion? {
        try await base.version(namespace: namespace, workflow: workflow, number: number)
    }
    package func saveVersion(
        namespace: String, workflow: String, bundle: String, files: [String: String],
        rules: WorkflowRules, now: Timestamp
    ) async throws -> WorkflowVersion {
        try await base.saveVersion(
            namespace: namespace, workflow: workflow, bundle: bundle, files: files,
            rules: rules, now: now)
    }
    package func files(bundle: String) async throws -> [String: String]? {
        try await base.files(bundle: bundle)
    }
    package func entries(run: Int64, after: Int, limit: Int) async throws -> [Entry] {
        try await base.entries(run: run, after: after, limit: limit)
    }
    package func run(id: String) async throws -> RunRecord? { try await base.run(id: id) }
    package func runs(_ query: RunQuery) async throws -> RunPage { try await base.runs(query) }
    package func relations(run id: String) async throws -> RunRelations? { try await base.relations(run: id) }
    package func state(namespace: String, workflow: String, key: String) async throws -> Payload? {
        try await base.state(namespace: namespace, workflow: workflow, key: key)
    }
    package func history(run id: String) async throws -> RunHistory? { try await base.history(run: id) }
    package func approval(id: String) async throws -> ApprovalRecord? { try await base.approval(id: id) }
    package func approvals(
        namespace: String, status: ApprovalStatus?, kinds: Set<ApprovalKind>, limit: Int
    ) async throws -> [ApprovalRecord] {
        try await base.approvals(namespace: namespace, status: status, kinds: kinds, limit: limit)
    }
    package func dueReminders(namespace: String, now: Timestamp, limit: Int) async throws -> DueReminders {
        try await base.dueReminders(namespace: namespace, now: now, limit: limit)
    }
    package func remind(
        _ reminders: [Reminder], now: Timestamp
    ) async throws -> [Result<ReminderReceipt, JournalError>] {
        try await base.remind(reminders, now: now)
    }
    package func space() async throws -> StoreSpace { try await base.space() }
    package func giveBack(bytes: Int) async throws -> StoreSpace { try await base.giveBack(bytes: bytes) }
    package func copyLog() async throws -> StoreSpace { try await base.copyLog() }
    package func removeExpired(_ expiry: Expiry, now: Timestamp) async throws -> Removal {
        try await base.removeExpired(expiry, now: now)
    }
    package func schedules(namespace: String) async throws -> [ScheduleRecord] {
        try await base.schedules(namespace: namespace)
    }
    package func advance(_ advance: ScheduleAdvance, now: Timestamp) async throws -> ScheduleReceipt? {
        try await base.advance(advance, now: now)
    }
    package func checkWritable() async throws { try await base.checkWritable() }
    package func hashSeed() async throws -> UInt32 { try await base.hashSeed() }
}
