import Foundation

/// A thread of its own that runs an actor's jobs one after the other.
///
/// Lua needs more stack than the threads of the common pool have, and the watchdog signals the very thread that runs a
/// script.
final class ShardThread: SerialExecutor {
    /// Stock Lua may nest 200 C calls, which take up to 512 KiB.
    private static let stackBytes = 4 * 1_048_576

    private let condition = NSCondition()
    // Guarded by `condition`.
    nonisolated(unsafe) private var waiting: [UnownedJob] = []
    nonisolated(unsafe) private var isStopped = false

    init(name: String) {
        let thread = Thread { [self] in work() }
        thread.name = name
        thread.stackSize = ShardThread.stackBytes
        thread.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.withLock {
            waiting.append(job)
            condition.signal()
        }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    /// Ends the thread once it has nothing more to do.
    func stop() {
        condition.withLock {
            isStopped = true
            condition.signal()
        }
    }

    private func work() {
        let executor = asUnownedSerialExecutor()
        while let jobs = next() {
            for job in jobs { job.runSynchronously(on: executor) }
        }
    }

    private func next() -> [UnownedJob]? {
        condition.withLock {
            while waiting.isEmpty, !isStopped { condition.wait() }
            defer { waiting.removeAll() }
            return waiting.isEmpty ? nil : waiting
        }
    }
}
