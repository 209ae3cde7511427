import GRDB
import PerigeeJournal
import Synchronization

/// When a write transaction's number is told.
public enum TransactionPhase: Sendable {
    /// All of it is in the transaction, nothing of it is durable.
    case beforeCommit
    /// It is durable, and nobody has been answered.
    case afterCommit
}

/// The one writer: what is waiting goes into one transaction, which is committed once; then all are answered.
final class GroupWriter: Sendable {
    /// At most this many members share a transaction, so that no caller waits for more than their work.
    private static let largestGroup = 512

    private struct Request: Sendable {
        var weight: Int
        /// Does the work; what it returns answers the caller after the commit.
        var perform: @Sendable (Members) throws -> @Sendable () -> Void
        var refuse: @Sendable (JournalError) -> Void
    }

    private struct Inbox {
        var waiting: [Request] = []
        var isDraining = false
        var isClosed = false
    }

    private let pool: DatabasePool
    private let path: String
    private let log: WriteAheadLog
    private let onTransaction: (@Sendable (Int, TransactionPhase) -> Void)?
    private let inbox = Mutex(Inbox())
    private let transactionCount = Atomic<Int>(0)

    init(
        pool: DatabasePool, path: String, log: WriteAheadLog,
        onTransaction: (@Sendable (Int, TransactionPhase) -> Void)?
    ) {
        self.pool = pool
        self.path = path
        self.log = log
        self.onTransaction = onTransaction
    }

    /// Does one piece of work in a transaction that others may share.
    ///
    /// - Throws: what `work` throws; then nothing of it was done.
    func write<Answer: Sendable>(_ work: @escaping @Sendable (Store) throws -> Answer) async throws -> Answer
    {
        let answer = try await writeAll(weight: 1) { members in try members.attempt(work) }
        return try answer.get()
    }

    /// Does several pieces of work in one transaction; `work` attempts them one by one.
    ///
    /// The caller's cancellation changes nothing: what was handed in is done, and answered.
    nonisolated(nonsending) func writeAll<Answer: Sendable>(
        weight: Int, _ work: @escaping @Sendable (Members) throws -> Answer
    ) async throws -> Answer {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Answer, any Error>) in
            enqueue(
                Request(
                    weight: weight,
                    perform: { members in
                        let answer = try work(members)
                        return { continuation.resume(returning: answer) }
                    },
                    refuse: { continuation.resume(throwing: $0) }))
        }
    }

    /// How many pieces of work wait for their transaction.
    var backlog: Int { inbox.withLock { $0.waiting.count } }

    /// Refuses what comes from now on and waits for what came before.
    func finish() {
        inbox.withLock { $0.isClosed = true }
        pool.writeWithoutTransaction { _ in }
    }

    private func enqueue(_ request: Request) {
        enum Step { case refuse, wait, drain }
        let step: Step = inbox.withLock { inbox in
            if inbox.isClosed { return .refuse }
            inbox.waiting.append(request)
            if inbox.isDraining { return .wait }
            inbox.isDraining = true
            return .drain
        }
        switch step {
        case .refuse: request.refuse(.io(path: path, detail: "it is closed"))
        case .wait: break
        case .drain:
            pool.asyncWriteWithoutTransaction { [self] db in
                while let group = nextGroup() { commit(group, db) }
            }
        }
    }

    private func nextGroup() -> [Request]? {
        inbox.withLock { inbox in
            var weight = 0
            let group = inbox.waiting.prefix { request in
                defer { weight += request.weight }
                return weight == 0 || weight + request.weight <= Self.largestGroup
            }
            inbox.waiting.removeFirst(group.count)
            if group.isEmpty { inbox.isDraining = false }
            return group.isEmpty ? nil : Array(group)
        }
    }

    private func commit(_ group: [Request], _ db: Database) {
        do {
            try log.check()
            var answers: [@Sendable () -> Void]
            do {
                answers = try transact(group, Members(db: db, path: path, isolated: false))
            } catch is Members.NeedsIsolation {
                answers = try transact(group, Members(db: db, path: path, isolated: true))
            }
            log.copyIfLong(db)
            for answer in answers { answer() }
        } catch is Members.TransactionLost where group.count > 1 {
            for request in group { commit([request], db) }
        } catch {
            let error = JournalError(error, path: path)
            for request in group { request.refuse(error) }
        }
    }

    private func transact(_ group: [Request], _ members: Members) throws -> [@Sendable () -> Void] {
        let db = members.store.db
        try db.beginTransaction(.immediate)
        do {
            let before = db.totalChangesCount
            let answers = try group.map { try $0.perform(members) }
            if db.totalChangesCount == before {
                try db.commit()
            } else {
                try commitCounted(db)
            }
            return answers
        } catch {
            // SQLite has rolled back by itself after some failures. If it can't now, the next BEGIN says so.
            if db.isInsideTransaction { try? db.rollback() }
            throw error
        }
    }

    private func commitCounted(_ db: Database) throws {
        let number = transactionCount.add(1, ordering: .relaxed).newValue
        onTransaction?(number, .beforeCommit)
        try db.commit()
        onTransaction?(number, .afterCommit)
    }
}

/// Lets each member of a transaction succeed or fail by itself.
///
/// Most members are refused before they write anything, so that no savepoint is needed. Where one fails
/// midway, the whole group is done once more with a savepoint around each member; where one ends the
/// transaction, each piece of work is done once more in a transaction of its own.
struct Members {
    /// A member failed after it had written.
    struct NeedsIsolation: Error {}

    /// A member failed in a way that ends the whole transaction, as when the disk is full.
    struct TransactionLost: Error {
        var cause: any Error
    }

    let store: Store
    private let path: String
    private let isolated: Bool

    init(db: Database, path: String, isolated: Bool) {
        store = Store(db: db)
        self.path = path
        self.isolated = isolated
    }

    func attempt<Answer>(_ work: (Store) throws -> Answer) throws -> Result<Answer, JournalError> {
        let db = store.db
        let before = db.totalChangesCount
        do {
            guard isolated else { return .success(try work(store)) }
            var answer: Answer?
            try db.inSavepoint {
                answer = try work(store)
                return .commit
            }
            guard let answer else { throw JournalError.io(path: path, detail: "a savepoint was not run") }
            return .success(answer)
        } catch {
            // What the disk refuses is no answer to one member.
            let code = (error as? DatabaseError)?.resultCode
            guard db.isInsideTransaction, code != .SQLITE_FULL, code != .SQLITE_IOERR else {
                throw TransactionLost(cause: error)
            }
            guard isolated || db.totalChangesCount == before else { throw NeedsIsolation() }
            return .failure(JournalError(error, path: path))
        }
    }
}
