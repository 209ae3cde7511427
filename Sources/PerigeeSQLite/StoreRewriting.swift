import Foundation
import GRDB
public import PerigeeJournal

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension SQLiteJournal {
    /// How many bytes the disk has to have left for ``rewrite(path:)``: what the facts take, and a tenth for safety.
    ///
    /// - Parameter path: the database file, which has to be there.
    /// - Throws: ``JournalError`` if the file can't be used or a process has it open.
    public static func spaceForRewriting(path: String) throws(JournalError) -> Int {
        let path = StoreFile.resolved(path)
        let lock = try ProcessLock(for: path)
        defer { extendLifetime(lock) }
        do { return try StoreRewriting.use(path) { _, space in space.used + space.used / 10 } } catch {
            throw JournalError(error, path: path)
        }
    }

    /// Writes a store that nobody has open anew, without free space and so that it can give space back while in use.
    ///
    /// The new file takes the place of the old one when it is complete, sound and durable; a crash before leaves the
    /// old one as it was. Until then the disk has to hold both.
    ///
    /// - Parameter path: the database file, which has to be there.
    /// - Returns: what it took before and takes after.
    /// - Throws: ``JournalError`` if the file can't be used, a process has it open, or the disk has no room.
    public static func rewrite(
        path: String
    ) throws(JournalError) -> (before: StoreSpace, after: StoreSpace) {
        let path = StoreFile.resolved(path)
        let lock = try ProcessLock(for: path)
        defer { extendLifetime(lock) }
        do { return try StoreRewriting.run(path) } catch { throw JournalError(error, path: path) }
    }
}

/// Writes a database file anew beside itself, and puts the new one in its place.
private enum StoreRewriting {
    static func run(_ path: String) throws -> (before: StoreSpace, after: StoreSpace) {
        let new = path + ".new"
        try StoreCreation.remove(new)
        do {
            let before = try use(path) { db, before in
                try leaveLog(db, path)
                try create(new, withRightsOf: path)
                try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
                try db.execute(sql: "VACUUM INTO ?", arguments: [new])
                return before
            }
            return try replace(path, by: new, before)
        } catch {
            // It would go on taking as much of the disk as the store.
            try? StoreCreation.remove(new)
            throw error
        }
    }

    /// Leaves the mode with a log until the next opening, which SQLite refuses while anybody else has the file open.
    ///
    /// A log that another program shares would be taken for one of the new file.
    private static func leaveLog(_ db: Database, _ path: String) throws {
        let mode = try? String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE")
        guard mode == "delete" else { throw JournalError.inUse(path: path, by: "another program") }
    }

    private static func replace(
        _ path: String, by new: String, _ before: StoreSpace
    ) throws -> (before: StoreSpace, after: StoreSpace) {
        try StoreFile.refuseDamaged(new)
        try sync(new)
        guard try StoreFile.fileSize(path + "-wal") == 0 else {
            throw JournalError.io(path: path, detail: "its log could not be copied into it")
        }
        guard rename(new, path) == 0 else { throw JournalError.systemCall(path: path, errno) }
        try StoreCreation.syncDirectory(of: path)
        let size = try StoreFile.fileSize(path)
        return (before, StoreSpace(file: size, used: size))
    }

    /// Opens a file for as long as the body runs; then it has no log any more.
    static func use<Answer>(
        _ path: String, _ body: (Database, StoreSpace) throws -> Answer
    ) throws -> Answer {
        let pool = try StoreFile.open(path, StoreFile.Limits())
        // The connection that closes last tidies the log away; readers can't.
        pool.invalidateReadOnlyConnections()
        do {
            let answer = try pool.writeWithoutTransaction { db in
                let space = try Store(db: db).space(of: path)
                try db.checkpoint(.truncate)
                try WriteAheadLog.copyOnClose(true, db)
                return try body(db, space)
            }
            try pool.close()
            return answer
        } catch {
            try? pool.close()
            throw error
        }
    }

    /// Makes an empty file: who may use it is as it was before anything stands in it, also where root writes the file
    /// of a service anew.
    private static func create(_ new: String, withRightsOf path: String) throws {
        let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw JournalError.systemCall(path: new, errno) }
        defer { close(descriptor) }
        var rights = stat()
        var made = stat()
        guard stat(path, &rights) == 0, fstat(descriptor, &made) == 0,
            (made.st_uid, made.st_gid) == (rights.st_uid, rights.st_gid)
                || fchown(descriptor, rights.st_uid, rights.st_gid) == 0,
            fchmod(descriptor, rights.st_mode & 0o7777) == 0
        else { throw JournalError.systemCall(path: new, errno) }
    }

    private static func sync(_ path: String) throws {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? handle.close() }
        guard fsync(handle.fileDescriptor) == 0 else { throw JournalError.systemCall(path: path, errno) }
    }
}
