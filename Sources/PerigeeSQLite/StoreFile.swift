import Foundation
import GRDB
import PerigeeJournal

/// Opens the database file, or says why it can't be used and leaves it as it is.
enum StoreFile {
    /// A check of the whole file reads all of it, half a second for one of this size; a larger one is checked by
    /// ``inspect(_:)`` alone.
    private static let largestChecked = 128 << 20

    struct Limits {
        /// The file is not let grow beyond this many pages, as if the disk were full.
        var maxPages: Int?
        /// The log has this many pages at least when they are copied into the file.
        var checkpointPages = 4000
    }

    /// The file that a path leads to, so that its lock and its log have one name whatever link leads there.
    static func resolved(_ path: String) -> String {
        URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }

    static func open(_ path: String, _ limits: Limits) throws(JournalError) -> DatabasePool {
        do {
            if FileManager.default.fileExists(atPath: path) {
                try refuseForeign(path)
                try LogCheck.run(path: path)
                if try fileSize(path) < largestChecked { try refuseDamaged(path) }
            } else {
                try StoreCreation.create(path, configuration(limits))
            }
            let pool = try DatabasePool(path: path, configuration: configuration(limits))
            try refuseNewer(pool, path)
            try pool.writeWithoutTransaction(harden)
            try Schema.migrator.migrate(pool)
            // The lock on the file proves that every host that the file knows of is gone.
            try pool.writeWithoutTransaction { try $0.execute(sql: "DELETE FROM hosts") }
            return pool
        } catch {
            throw JournalError(error, path: path)
        }
    }

    /// Looks whether the file could be opened, and leaves it as it is.
    static func inspect(_ path: String) throws(JournalError) {
        do {
            try refuseForeign(path)
            try LogCheck.run(path: path)
            try refuseDamaged(path)
            let queue = try DatabaseQueue(path: path, configuration: readOnly)
            try refuseNewer(queue, path)
            try queue.close()
        } catch {
            throw JournalError(error, path: path)
        }
    }

    private static var readOnly: Configuration {
        var configuration = Configuration()
        configuration.readonly = true
        return configuration
    }

    private static func configuration(_ limits: Limits) -> Configuration {
        var configuration = Configuration()
        configuration.label = "perigee"
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA temp_store = MEMORY")
            guard !db.configuration.readonly else { return }
            if try Int.fetchOne(db, sql: "PRAGMA page_count") == 0 {
                // These stand in the file's first page before the write-ahead log begins.
                try db.execute(sql: "PRAGMA page_size = 16384")
                try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
                try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
            }
            try db.execute(sql: "PRAGMA cache_size = -49152")
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
            try WriteAheadLog.copyOnClose(false, db)
            if let maxPages = limits.maxPages {
                try db.execute(sql: "PRAGMA max_page_count = \(maxPages)")
            }
        }
        return configuration
    }

    /// GRDB chooses `synchronous = NORMAL` while it opens, which loses the last commits when the power fails.
    private static func harden(_ db: Database) throws {
        try db.execute(sql: "PRAGMA synchronous = FULL")
        let synchronous = try Int.fetchOne(db, sql: "PRAGMA synchronous")
        guard synchronous == 2 else {
            throw JournalError.io(
                path: db.description,
                detail: "SQLite did not accept synchronous = FULL, so that commits would not be durable")
        }
        // The log that was found may have been read from the system's cache and not be on the disk. It begins
        // anew, so that what is answered from now on does not stand behind a gap.
        try db.checkpoint(.restart)
    }

    static func fileSize(_ path: String) throws -> Int {
        guard FileManager.default.fileExists(atPath: path) else { return 0 }
        return try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
    }

    /// Looks at the header without SQLite, which might begin to recover a file that is not ours.
    private static func refuseForeign(_ path: String) throws {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? handle.close() }
        let header = try handle.read(upToCount: 72) ?? Data()
        guard !header.isEmpty else { throw JournalError.damaged(path: path, detail: "it is empty") }
        guard header.count == 72, header.starts(with: "SQLite format 3\0".utf8) else {
            throw JournalError.damaged(path: path, detail: "it is not an SQLite database")
        }
        let application = header.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard application == UInt32(bitPattern: Schema.applicationID) else {
            throw JournalError.damaged(path: path, detail: "it is the database of another program")
        }
    }

    /// The connection can only read, so that a damaged file stays as it is.
    static func refuseDamaged(_ path: String) throws {
        let queue = try DatabaseQueue(path: path, configuration: readOnly)
        let verdict = try queue.read { try String.fetchOne($0, sql: "PRAGMA integrity_check(1)") } ?? ""
        try queue.close()
        guard verdict != "ok" else { return }
        // The first line may be a heading.
        let finding = verdict.split(separator: "\n").first { !$0.hasPrefix("***") }
        throw JournalError.damaged(path: path, detail: finding.map(String.init) ?? "it can't be checked")
    }

    private static func refuseNewer(_ database: some DatabaseReader, _ path: String) throws {
        let known = Set(Schema.migrator.migrations)
        let unknown = try database.read { try Schema.migrator.appliedIdentifiers($0).subtracting(known) }
        guard let first = unknown.min() else { return }
        try database.close()
        throw JournalError.newerSchema(path: path, found: first)
    }
}

extension JournalError {
    /// What a failure of SQLite or the system means to the user.
    init(_ error: any Error, path: String) {
        switch error {
        case let error as JournalError: self = error
        case let lost as Members.TransactionLost: self = JournalError(lost.cause, path: path)
        case let error as DatabaseError:
            let detail = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
            switch error.resultCode {
            case .SQLITE_FULL: self = .diskFull(path: path)
            case .SQLITE_BUSY, .SQLITE_LOCKED: self = .inUse(path: path, by: "another program")
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .damaged(path: path, detail: detail)
            default: self = .io(path: path, detail: detail)
            }
        case let error as CocoaError where error.code == .fileWriteOutOfSpace: self = .diskFull(path: path)
        default: self = .io(path: path, detail: "\(error)")
        }
    }
}
