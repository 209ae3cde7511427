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
        guard !FileManager.default.fileExists(atPath: log) else {
            throw JournalError.damaged(
                path: path, detail: "it is missing, while its log \(log) is there and holds a part of it")
        }
        let unfinished = path + ".new"
        for suffix in ["", "-journal", "-wal", "-shm"]
        where FileManager.default.fileExists(atPath: unfinished + suffix) {
            try FileManager.default.removeItem(atPath: unfinished + suffix)
        }
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
        try syncDirectories(of: path)
    }

    /// Makes the file's name durable, and those of the directories above it, which may be new.
    private static func syncDirectories(of path: String) throws {
        var directory = URL(fileURLWithPath: path).deletingLastPathComponent()
        while true {
            let descriptor = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            // What can't be read was there before.
            guard descriptor >= 0 else { return }
            defer { close(descriptor) }
            // Some file systems can't sync a directory, and say so with EINVAL.
            guard fsync(descriptor) == 0 || errno == EINVAL else { throw JournalError.systemCall(path: directory.path, errno) }
            guard directory.path != "/" else { return }
            directory.deleteLastPathComponent()
        }
    }
}
