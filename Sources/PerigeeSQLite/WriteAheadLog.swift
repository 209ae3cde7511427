import CSQLiteShim
import GRDB
import GRDBSQLite
import PerigeeJournal
import Synchronization

/// Copies the write-ahead log into the file whenever it has become long, and ends all use of the file when a sync of
/// it fails.
///
/// SQLite would do the copying itself, and keep quiet about a sync that failed. What it had copied before, in part
/// because a read needed the rest of the log, it would take for durable then, while the system has given it up.
/// A log that is read anew, when the file is opened, is copied from its beginning.
final class WriteAheadLog: Sendable {
    private let path: String
    /// As many pages at least make it long.
    private let limit: Int
    private let pages = Atomic<Int>(0)
    private let isToBeCopied = Atomic<Bool>(false)
    private let failure = Mutex<JournalError?>(nil)

    init(path: String, limit: Int) {
        self.path = path
        self.limit = limit
    }

    /// Counts the log's pages from now on; the log has to live for as long as the connection commits.
    func watch(_ db: Database) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        sqlite3_wal_hook(
            db.sqliteConnection,
            { context, _, _, pages in
                guard let context else { return SQLITE_OK }
                let log = Unmanaged<WriteAheadLog>.fromOpaque(context).takeUnretainedValue()
                log.pages.store(Int(pages), ordering: .relaxed)
                return SQLITE_OK
            }, context)
    }

    /// - Throws: ``JournalError/syncFailed(path:detail:)`` if a sync of the file has failed.
    func check() throws {
        if let failure = failure.withLock({ $0 }), case .syncFailed = failure { throw failure }
    }

    /// - Throws: ``JournalError`` if the log could not be copied when it was tried last.
    func checkCopied() throws {
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    /// Has the log copied after the next transaction, however short it is.
    func copySoon() {
        isToBeCopied.store(true, ordering: .relaxed)
    }

    /// Copies a log that is long or is to be copied, as far as reads permit.
    ///
    /// What is committed is durable without it: a failure is kept for those who ask.
    func copyIfLong(_ db: Database) {
        let isToBeCopied = isToBeCopied.exchange(false, ordering: .relaxed)
        guard isToBeCopied || pages.load(ordering: .relaxed) >= limit else { return }
        do { try copy(db) } catch {
            failure.withLock { $0 = JournalError(error, path: path) }
            // Whoever asks is told so until it has been tried again.
            copySoon()
        }
    }

    /// Copies what can be copied, and lets the log be removed with the last connection.
    func finish(_ db: Database) throws {
        try check()
        try copy(db)
        try Self.copyOnClose(true, db)
    }

    private func copy(_ db: Database) throws {
        do {
            _ = try db.checkpoint(.passive)
            failure.withLock { $0 = nil }
        } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_IOERR_FSYNC {
            throw JournalError.syncFailed(path: path, detail: error.message ?? "a sync failed")
        }
    }

    /// Whether the last connection copies the log when it is closed, and removes it.
    ///
    /// It would do so also after a failure, when what it reads of the log may not be what was written.
    static func copyOnClose(_ isWanted: Bool, _ db: Database) throws {
        let code = perigee_sqlite_copy_log_on_close(db.sqliteConnection, isWanted ? 1 : 0)
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }
}
