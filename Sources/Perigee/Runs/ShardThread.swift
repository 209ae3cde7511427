import Foundation
import Synchronization

/// A thread of its own that runs an actor's jobs one after the other.
///
/// Lua needs more stack than the threads of the common pool have, and the watchdog signals the very thread that runs a
/// script.
final class ShardThread: SerialExecutor {
    /// Stock Lua may nest 200 C calls, which take up to 512 KiB.
    private static let stackBytes = 4 * 1_048_576

    private enum Work {
        case job(UnownedJob)
        case body(@Sendable () -> Void)
    }

    /// After so many seconds without work there may be none for long.
    private static let idleSeconds = 1.0

    private let condition = NSCondition()
    // Guarded by `condition`.
    nonisolated(unsafe) private var waiting: [Work] = []
    nonisolated(unsafe) private var isStopped = false
    private let thread = Mutex<ObjectIdentifier?>(nil)
    private let whenIdle: @Sendable () -> Void

    /// - Parameter whenIdle: is called on the thread, once whenever it has been without work for a second, and
    ///   once when it is stopped.
    init(name: String, whenIdle: @escaping @Sendable () -> Void) {
        self.whenIdle = whenIdle
        let thread = Thread { [self] in work() }
        thread.name = name
        thread.stackSize = ShardThread.stackBytes
        let identity = ObjectIdentifier(thread)
        self.thread.withLock { $0 = identity }
        thread.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        add(.job(UnownedJob(job)))
    }

    /// Runs something on the thread after what waits already, without the task that a call of the actor would need.
    func post(_ body: @escaping @Sendable () -> Void) {
        add(.body(body))
    }

    private func add(_ work: Work) {
        condition.withLock {
            waiting.append(work)
            if waiting.count == 1 { condition.signal() }
        }
    }

    /// What the thread runs by itself, and not in a job, is the actor's as well.
    func checkIsolated() {
        let own = thread.withLock { $0 }
        precondition(own == ObjectIdentifier(Thread.current), "this is not the thread of the shard")
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
            for job in jobs {
                switch job {
                case .job(let job): job.runSynchronously(on: executor)
                case .body(let body): body()
                }
            }
        }
    }

    private func next() -> [Work]? {
        if let work = next(before: Date(timeIntervalSinceNow: ShardThread.idleSeconds)) { return work }
        whenIdle()
        return next(before: nil)
    }

    /// What waits, all of it; `nil` if nothing has come before the time is over, and once the thread is stopped.
    private func next(before deadline: Date?) -> [Work]? {
        condition.withLock {
            var isOver = false
            while waiting.isEmpty, !isStopped, !isOver {
                if let deadline { isOver = !condition.wait(until: deadline) } else { condition.wait() }
            }
            defer { waiting.removeAll() }
            return waiting.isEmpty ? nil : waiting
        }
    }
}
