import GRDB
import PerigeeJournal
import Synchronization

/// Short reads: those that come while others are under way share a snapshot, which costs more than most of them.
final class GroupReader: Sendable {
    /// At most this many share a snapshot, so that no caller waits for more than their work.
    private static let largestGroup = 256
    /// So many snapshots are read at once.
    private static let mostReading = 2

    private typealias Request = @Sendable (Result<Store, JournalError>) -> Void

    private struct Inbox {
        var waiting: [Request] = []
        var reading = 0
    }

    private let pool: DatabasePool
    private let path: String
    private let log: WriteAheadLog
    private let inbox = Mutex(Inbox())

    init(pool: DatabasePool, path: String, log: WriteAheadLog) {
        self.pool = pool
        self.path = path
        self.log = log
    }

    /// Reads what was committed before the call, and maybe what was committed since.
    ///
    /// - Throws: what `work` throws, as a ``JournalError``.
    func read<Answer: Sendable>(_ work: @escaping @Sendable (Store) throws -> Answer) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            enqueue { [path] store in
                continuation.resume(
                    with: Result { try work(store.get()) }.mapError { JournalError($0, path: path) })
            }
        }
    }

    private func enqueue(_ request: @escaping Request) {
        let mayRead = inbox.withLock { inbox in
            inbox.waiting.append(request)
            guard inbox.reading < Self.mostReading else { return false }
            inbox.reading += 1
            return true
        }
        if mayRead { readGroup() }
    }

    private func readGroup() {
        // Taken before the snapshot is, which so has all that was committed before they asked.
        let group = nextGroup()
        pool.asyncRead { [self] db in
            do {
                try log.check()
                let store = Store(db: try db.get())
                for request in group { request(.success(store)) }
            } catch {
                for request in group { request(.failure(JournalError(error, path: path))) }
            }
            if endGroup() { readGroup() }
        }
    }

    private func nextGroup() -> [Request] {
        inbox.withLock { inbox in
            let group = Array(inbox.waiting.prefix(Self.largestGroup))
            inbox.waiting.removeFirst(group.count)
            return group
        }
    }

    /// Returns whether another group waits.
    private func endGroup() -> Bool {
        inbox.withLock { inbox in
            if inbox.waiting.isEmpty { inbox.reading -= 1 }
            return !inbox.waiting.isEmpty
        }
    }
}
