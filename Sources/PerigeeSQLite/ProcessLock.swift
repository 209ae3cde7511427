import Foundation
import PerigeeJournal

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Keeps a store for one process: an advisory lock on a file beside it that names the process.
///
/// The system lets go of the lock when the process ends, however it ends.
struct ProcessLock: ~Copyable {
    private let descriptor: Int32

    /// - Parameter path: the store's path; the lock is on the file of that name with `.lock` added.
    init(for path: String) throws(JournalError) {
        let lockPath = path + ".lock"
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .systemCall(path: lockPath, errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let holder = try? String(contentsOfFile: lockPath, encoding: .utf8)
            close(descriptor)
            guard code == EWOULDBLOCK else { throw .systemCall(path: lockPath, code) }
            let process = holder?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
            throw .inUse(path: path, by: process.isEmpty ? "another process" : "process \(process)")
        }
        let name = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, write(descriptor, name, name.count) == name.count else {
            let code = errno
            close(descriptor)
            throw .systemCall(path: lockPath, code)
        }
        self.descriptor = descriptor
    }

    deinit {
        // A child that another thread is starting this moment still has the descriptor; closing alone would leave
        // the lock with it.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}

extension JournalError {
    /// - Parameter code: what `errno` was.
    static func systemCall(path: String, _ code: Int32) -> JournalError {
        code == ENOSPC ? .diskFull(path: path) : .io(path: path, detail: String(cString: strerror(code)))
    }
}
