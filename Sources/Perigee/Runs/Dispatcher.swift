import Logging
import PerigeeJournal
import Synchronization

/// Claims runs that can go on, as many as there is room for, and hands each to its shard.
final class Dispatcher: Sendable {
    /// The most runs that a host works on at once.
    static let maxActive = 4096
    private static let claimLimit = 512
    private static let retryMilliseconds: Int64 = 1000

    /// What a shard is given.
    enum Work: Sendable {
        /// A run that this host now owns.
        case take(ClaimedRun)
        /// Something came for a run that it owns already.
        case tell(ClaimedRun)
    }

    private struct State {
        var active = 0
        var alarm: (due: Timestamp, task: Task<Void, Never>)?
    }

    private let journal: any Journal
    private let options: HostOptions
    private let ambient: any Ambient
    private let logger: Logger
    private let state = Mutex(State())
    private let pokes: AsyncStream<Void>
    private let poking: AsyncStream<Void>.Continuation

    init(journal: any Journal, options: HostOptions, ambient: any Ambient, logger: Logger) {
        self.journal = journal
        self.options = options
        self.ambient = ambient
        self.logger = logger
        (pokes, poking) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Looks for runs soon.
    func poke() {
        poking.yield()
    }

    /// Looks for runs at this moment, if nothing is to come earlier.
    func note(due: Timestamp) {
        state.withLock { state in
            if let alarm = state.alarm, alarm.due <= due { return }
            state.alarm?.task.cancel()
            let task = Task { [weak self, ambient] in
                guard (try? await ambient.sleep(until: due)) != nil, let self else { return }
                self.state.withLock { if $0.alarm?.due == due { $0.alarm = nil } }
                poke()
            }
            state.alarm = (due, task)
        }
    }

    /// A run was let go of.
    func released() {
        let wasFull = state.withLock { state in
            state.active -= 1
            return state.active == Dispatcher.maxActive - 1
        }
        if wasFull { poke() }
    }

    /// How many runs this host works on.
    var activeCount: Int { state.withLock { $0.active } }

    /// Claims until the task is cancelled or ``stop()``.
    func run(_ work: @escaping @Sendable (Work) async -> Void) async {
        poke()
        for await _ in pokes {
            while await claim(work) {}
        }
    }

    /// Claims no more.
    func stop() {
        poking.finish()
        state.withLock { state in
            state.alarm?.task.cancel()
            state.alarm = nil
        }
    }

    /// Claims once; returns whether there may be more to claim at once.
    private func claim(_ work: @escaping @Sendable (Work) async -> Void) async -> Bool {
        let room = min(Dispatcher.maxActive - activeCount, Dispatcher.claimLimit)
        guard room > 0, !Task.isCancelled else { return false }
        do {
            let claim = try await journal.claim(
                host: options.hostID, namespace: options.namespace, now: ambient.now, limit: room, only: nil)
            state.withLock { $0.active += claim.runs.count }
            for run in claim.runs { Task { await work(.take(run)) } }
            for run in claim.told { Task { await work(.tell(run)) } }
            if let due = claim.nextDue { note(due: due) }
            return claim.runs.count + claim.told.count == room
        } catch {
            logger.error("runs can't be claimed; trying again in 1 s: \(error)")
            note(due: ambient.now.adding(milliseconds: Dispatcher.retryMilliseconds))
            return false
        }
    }
}
