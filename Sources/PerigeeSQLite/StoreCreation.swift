import Foundation
import GRDB
import PerigeeJournal

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Makes a new database file, which appears under its name only when it is complete and durable.
///
/// A crash on the way leaves nothing under the name, so that what stands there was a database once.
enum StoreCreation {
    static func create(_ path: String, _ configuration: Configuration) throws {
        let log = path + "-wal"
        guard try StoreFile.fileSize(log) == 0 else {
            throw JournalError.damaged(
                path: path, detail: "it is missing, while its log \(log) is there and holds a part of it")
        }
        let unfinished = path + ".new"
        try remove(unfinished)
        var configuration = configuration
        configuration.journalMode = .wal
        let queue = try DatabaseQueue(path: unfinished, configuration: configuration)
        try Schema.migrator.migrate(queue)
        // All goes into the file and is synced; a failure that closing might pass over is told here.
        try queue.writeWithoutTransaction { db in
            try db.checkpoint(.truncate)
            try WriteAheadLog.copyOnClose(true, db)
        }
        try queue.close()
        guard rename(unfinished, path) == 0 else { throw JournalError.systemCall(path: path, errno) }
        try syncDirectory(of: path)
    }

    /// Makes the directories above the file that are missing, durably.
    static func makeDirectory(for path: String) throws {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent()
        var missing: [URL] = []
        var ancestor = directory
        while !FileManager.default.fileExists(atPath: ancestor.path), ancestor.path != "/" {
            missing.append(ancestor)
            ancestor.deleteLastPathComponent()
        }
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        for made in missing { try syncDirectory(of: made.path) }
    }

    /// Removes a database file that nobody uses, with all that stands beside it.
    static func remove(_ path: String) throws {
        for suffix in ["", "-journal", "-wal", "-shm"]
        where FileManager.default.fileExists(atPath: path + suffix) {
            try FileManager.default.removeItem(atPath: path + suffix)
        }
    }

    /// Makes a name durable.
    static func syncDirectory(of path: String) throws {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw JournalError.systemCall(path: directory, errno) }
        defer { close(descriptor) }
        // Some file systems can't sync a directory, and say so with EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else {
            throw JournalError.systemCall(path: directory, errno)
        }
    }
}
