import Foundation
import GRDB
public import PerigeeJournal
import Synchronization

/// A journal in one SQLite file, for one process.
///
/// Writes go through one writer that commits whatever is waiting together, durably (`synchronous = FULL`).
/// Reads have connections of their own and never wait for it.
public final class SQLiteJournal: Journal {
    private let path: String
    let pool: DatabasePool
    let writer: GroupWriter
    private let reader: GroupReader
    private let log: WriteAheadLog
    /// Given up by ``close()``.
    private let lock: Mutex<ProcessLock?>

    /// Opens a store, and creates it with its directory if there is none.
    ///
    /// - Parameters:
    ///   - path: the database file. A file beside it with `.lock` added keeps other processes out.
    ///   - onTransaction: called by the writer right before and right after it commits a transaction that
    ///     changed something, with the transaction's number from 1. The writer waits for it.
    /// - Throws: ``JournalError`` where the file can't be used: it is in use, not a Perigee database,
    ///   damaged, or written by a newer version. Such a file is left as it is.
    public convenience init(
        path: String, onTransaction: (@Sendable (Int, TransactionPhase) -> Void)? = nil
    ) throws(JournalError) {
        try self.init(path: path, limits: StoreFile.Limits(), onTransaction: onTransaction)
    }

    init(
        path: String, limits: StoreFile.Limits,
        onTransaction: (@Sendable (Int, TransactionPhase) -> Void)? = nil
    ) throws(JournalError) {
        let path = StoreFile.resolved(path)
        do {
            try StoreCreation.makeDirectory(for: path)
        } catch {
            throw JournalError(error, path: path)
        }
        let lock = try ProcessLock(for: path)
        pool = try StoreFile.open(path, limits)
        self.path = path
        self.lock = Mutex(consume lock)
        log = WriteAheadLog(path: path, limit: limits.checkpointPages)
        pool.writeWithoutTransaction(log.watch)
        writer = GroupWriter(pool: pool, path: path, log: log, onTransaction: onTransaction)
        reader = GroupReader(pool: pool, path: path, log: log)
    }

    /// Looks whether a store could be opened, also while a host works on it, and leaves it as it is.
    ///
    /// - Parameter path: the database file, which has to be there.
    /// - Throws: ``JournalError`` where the file is not a Perigee database, damaged, written by a newer version, or
    ///   can't be read.
    public static func check(path: String) throws(JournalError) {
        try StoreFile.inspect(path)
    }

    /// The version of SQLite that this program runs on: `3.45.1`.
    ///
    /// - Throws: ``JournalError`` if SQLite does not even open a store in memory.
    public static func libraryVersion() throws(JournalError) -> String {
        do {
            return try DatabaseQueue().read { try String.fetchOne($0, sql: "SELECT sqlite_version()") ?? "?" }
        } catch {
            throw JournalError(error, path: "a database in memory")
        }
    }

    /// Closes the store: what was handed in is finished, what comes later is refused.
    ///
    /// It blocks its thread until the file is closed. Closing twice does nothing.
    ///
    /// - Throws: ``JournalError`` if the file can't be closed in order; nothing that was answered is lost.
    public func close() throws(JournalError) {
        let isOpen = lock.withLock { $0 != nil }
        guard isOpen else { return }
        writer.finish()
        // The connection that closes last tidies the write-ahead log away; readers can't.
        pool.invalidateReadOnlyConnections()
        let copied = Result { try pool.writeWithoutTransaction(log.finish) }
        do {
            try pool.close()
            lock.withLock { $0 = nil }
            try copied.get()
        } catch {
            throw JournalError(error, path: path)
        }
    }

    public func heartbeat(host: String, now: Timestamp, leaseUntil: Timestamp) async throws -> Heartbeat {
        try await writer.write { try $0.heartbeat(host: host, now: now, leaseUntil: leaseUntil) }
    }

    public func release(host: String, now: Timestamp) async throws {
        try await writer.write { try $0.release(host: host, now: now) }
    }

    public func claim(
        host: String, namespace: String, now: Timestamp, limit: Int, only: Int64?
    ) async throws -> Claim {
        try checkLimit(limit, 1...Int.max)
        return try await writer.write { store in
            try store.claim(host: host, namespace: namespace, now: now, limit: limit, only: only)
        }
    }

    nonisolated(nonsending) public func commit(_ commits: [Commit]) async throws -> [Result<
        CommitReceipt, JournalError
    >] {
        try await writer.writeAll(weight: commits.count) { members in
            try commits.map { commit in try members.attempt { try $0.commit(commit) } }
        }
    }

    public func submit(
        _ submissions: [Submission], now: Timestamp, claimant: Claimant?
    ) async throws -> [Result<SubmissionReceipt, JournalError>] {
        try await writer.writeAll(weight: submissions.count) { members in
            var claimant = claimant
            return try submissions.map { submission in
                let result = try members.attempt { try $0.accept(submission, now: now, claimant) }
                if case .success(let receipt) = result { claimant?.limit -= receipt.claimed.count }
                return result
            }
        }
    }

    public func decide(
        approval: String, _ decision: Decision
    ) async throws -> (approval: ApprovalRecord, isNew: Bool)? {
        try await writer.write { try $0.decide(approval: approval, decision) }
    }

    public func remind(
        _ reminders: [Reminder], now: Timestamp
    ) async throws -> [Result<ReminderReceipt, JournalError>] {
        try await writer.writeAll(weight: reminders.count) { members in
            try reminders.map { reminder in try members.attempt { try $0.remind(reminder, now: now) } }
        }
    }

    public func cancel(run: String, error: Payload, isForced: Bool, now: Timestamp) async throws
        -> Cancellation?
    {
        try await writer.write { try $0.cancel(run: run, error: error, isForced: isForced, now: now) }
    }

    public func act(
        on run: String, _ action: RunAction, note: ActionNote, now: Timestamp
    ) async throws -> ActionResult? {
        try await writer.write { try $0.act(on: run, action, note: note, now: now) }
    }

    public func createBatch(_ batch: Batch, runs: [String]) async throws -> Batch {
        try await writer.write { try $0.createBatch(batch, runs: runs) }
    }

    public func steerBatch(
        _ id: String, to status: Batch.Status, note: ActionNote, now: Timestamp
    ) async throws -> (batch: Batch, isChanged: Bool)? {
        try await writer.write { try $0.steerBatch(id, to: status, note: note, now: now) }
    }

    public func refuseItem(batch: String, run: String, error: Payload, now: Timestamp) async throws {
        try await writer.write { try $0.refuseItem(batch: batch, run: run, error: error, now: now) }
    }

    public func audit(_ query: AuditQuery) async throws -> AuditPage {
        try checkLimit(query.limit, 1...500)
        return try await read { try $0.audit(query) }
    }

    public func batch(id: String) async throws -> Batch? {
        try await read { try $0.batch(id: id) }
    }

    public func batches(namespace: String, isFinal: Bool?, limit: Int) async throws -> [Batch] {
        try checkLimit(limit, 1...500)
        return try await read { try $0.batches(namespace: namespace, isFinal: isFinal, limit: limit) }
    }

    public func batchItems(_ query: BatchItemQuery) async throws -> [BatchItem] {
        try checkLimit(query.limit, 1...500)
        return try await read { try $0.items(query) }
    }

    public func activeRuns(batch: String) async throws -> Int {
        try await read { try $0.activeRuns(batch: batch) }
    }

    public func version(namespace: String, workflow: String, number: Int) async throws -> WorkflowVersion? {
        try await read { try $0.version(namespace: namespace, workflow: workflow, number: number) }
    }

    public func saveVersion(
        namespace: String, workflow: String, bundle: String, files: [String: String],
        rules: WorkflowRules, now: Timestamp
    ) async throws -> WorkflowVersion {
        guard !files.isEmpty else { throw JournalError.invalid("a version needs at least one text") }
        try rules.check()
        return try await writer.write { store in
            try store.saveVersion(
                namespace: namespace, workflow: workflow, bundle: bundle, files: files,
                rules: rules, now: now)
        }
    }

    public func removeExpired(_ expiry: Expiry, now: Timestamp) async throws -> Removal {
        try checkLimit(expiry.limit, 1...Int.max)
        return try await writer.write { try $0.removeExpired(expiry, now: now) }
    }

    public func saveSecret(
        _ secret: SealedSecret, replacing: Payload?, note: ActionNote, now: Timestamp
    ) async throws -> SealedSecret? {
        try await writer.write { try $0.saveSecret(secret, replacing: replacing, note: note, now: now) }
    }

    public func removeSecret(
        _ name: String, namespace: String, note: ActionNote, now: Timestamp
    ) async throws -> SealedSecret? {
        try await writer.write { try $0.removeSecret(name, namespace: namespace, note: note, now: now) }
    }

    public func secret(_ name: String, namespace: String) async throws -> SealedSecret? {
        try await read { try $0.secret(name, namespace: namespace) }
    }

    public func secrets(namespace: String) async throws -> [SealedSecret] {
        try await read { try $0.secrets(namespace: namespace) }
    }

    public func schedules(namespace: String) async throws -> [ScheduleRecord] {
        try await read { try $0.schedules(namespace: namespace) }
    }

    public func advance(_ advance: ScheduleAdvance, now: Timestamp) async throws -> ScheduleReceipt? {
        try await writer.write { try $0.advance(advance, now: now) }
    }

    public func space() async throws -> StoreSpace {
        try await read { [path] in try $0.space(of: path) }
    }

    public func giveBack(bytes: Int) async throws -> StoreSpace {
        try checkLimit(bytes, 1...Int.max)
        let space = try await space()
        guard space.givesBack, space.free > 0 else { return space }
        try await writer.write { try $0.giveBack(bytes: bytes) }
        return try await self.space()
    }

    public func copyLog() async throws -> StoreSpace {
        log.copySoon()
        try await checkWritable()
        return try await space()
    }

    public func checkWritable() async throws {
        try await writer.write { try $0.run("UPDATE probe SET writes = writes + 1", []) }
        try log.checkCopied()
    }

    public func hashSeed() async throws -> UInt32 {
        try await read { store in
            let seed: Int64? = try store.first("SELECT hash_seed FROM store", []) { try $0.next() }
            return UInt32(truncatingIfNeeded: seed ?? 0)
        }
    }

    public func files(bundle: String) async throws -> [String: String]? {
        try await read { try $0.files(bundle: bundle) }
    }

    public func entries(run: Int64, after: Int, limit: Int) async throws -> [Entry] {
        try checkLimit(limit, 1...Int.max)
        return try await reader.read { try $0.entries(run: run, after: after, limit: limit) }
    }

    public func run(id: String) async throws -> RunRecord? {
        try await reader.read { try $0.run(id: id) }
    }

    public func relations(run id: String) async throws -> RunRelations? {
        try await read { try $0.relations(run: id) }
    }

    public func state(namespace: String, workflow: String, key: String) async throws -> Payload? {
        try await read { try $0.state(namespace: namespace, workflow: workflow, key: key) }
    }

    public func runs(_ query: RunQuery) async throws -> RunPage {
        try checkLimit(query.limit, 1...500)
        return try await read { try $0.runs(query) }
    }

    public func history(run id: String) async throws -> RunHistory? {
        try await read { try $0.history(run: id) }
    }

    public func approval(id: String) async throws -> ApprovalRecord? {
        try await read { try $0.approval(id: id) }
    }

    public func approvals(
        namespace: String, status: ApprovalStatus?, kinds: Set<ApprovalKind>, limit: Int
    ) async throws -> [ApprovalRecord] {
        try checkLimit(limit, 1...500)
        return try await read {
            try $0.approvals(namespace: namespace, status: status, kinds: kinds, limit: limit)
        }
    }

    public func dueReminders(namespace: String, now: Timestamp, limit: Int) async throws -> DueReminders {
        try checkLimit(limit, 1...500)
        return try await read { try $0.dueReminders(namespace: namespace, now: now, limit: limit) }
    }

    /// Reads one snapshot of the store on a connection of its own.
    private func read<Answer: Sendable>(
        _ work: @escaping @Sendable (Store) throws -> Answer
    ) async throws -> Answer {
        do {
            try log.check()
            return try await pool.read { try work(Store(db: $0)) }
        } catch let error as CancellationError {
            throw error
        } catch {
            throw JournalError(error, path: path)
        }
    }
}
