import Logging
import PerigeeJournal
import Synchronization

/// Claims runs that can go on, as many as there is room for, and hands them to the shards.
final class Dispatcher: Sendable {
    /// The most runs that a host takes as it accepts them, the ones that stand in line included: a burst that is
    /// worked off within seconds is not claimed from the store.
    static let maxAccepted = 65_536
    private static let claimLimit = 512
    private static let retryMilliseconds: Int64 = 1000

    private struct State {
        /// How many runs were claimed and not let go of.
        var claimed = 0
        /// Those that were taken as they were accepted, and for how many more room is kept.
        var accepted: Set<Int64> = []
        var reserved = 0
        /// Whether the last claim left nothing behind that is due: only then may a new run go before others.
        var isCaughtUp = false
        var isStopped = false
        var alarm: (due: Timestamp, task: Task<Void, Never>)?
    }

    private let journal: any Journal
    private let options: HostOptions
    private let mostClaimed: Int
    private let ambient: any Ambient
    private let logger: Logger
    private let state = Mutex(State())
    private let pokes: AsyncStream<Void>
    private let poking: AsyncStream<Void>.Continuation

    init(journal: any Journal, options: HostOptions, ambient: any Ambient, logger: Logger) {
        self.journal = journal
        self.options = options
        mostClaimed = max(1, options.maxRunsInWork)
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

    /// Keeps room for runs that are taken as they are accepted.
    ///
    /// - Parameter mayStandInLine: whether it does no harm if they have been taken for a while before they begin.
    /// - Returns: for how many; ``accepted(_:of:)`` has to follow.
    func reserve(_ count: Int, mayStandInLine: Bool) -> Int {
        state.withLock { state in
            guard state.isCaughtUp, !state.isStopped else { return 0 }
            let most = mayStandInLine ? Dispatcher.maxAccepted : mostClaimed - state.claimed
            let room = min(count, max(0, most - state.accepted.count - state.reserved))
            state.reserved += room
            return room
        }
    }

    /// These were taken of those for which room was kept.
    func accepted(_ runs: [ClaimedRun], of room: Int) {
        state.withLock { state in
            state.reserved -= room
            for claimed in runs { state.accepted.insert(claimed.run.number) }
        }
    }

    /// A run was let go of.
    func released(_ run: Int64) {
        let hasRoom = state.withLock { state in
            guard state.accepted.remove(run) == nil else { return false }
            state.claimed -= 1
            return state.claimed == mostClaimed - 1
        }
        if hasRoom { poke() }
    }

    /// How many runs this host has taken.
    var activeCount: Int { state.withLock { $0.claimed + $0.accepted.count + $0.reserved } }

    /// Claims until the task is cancelled or ``stop()``.
    func run(_ hand: @Sendable (Claim) -> Void) async {
        poke()
        for await _ in pokes {
            while await claim(hand) {}
        }
    }

    /// Claims no more.
    func stop() {
        poking.finish()
        state.withLock { state in
            state.isStopped = true
            state.alarm?.task.cancel()
            state.alarm = nil
        }
    }

    /// Claims once; returns whether there may be more to claim at once.
    private func claim(_ hand: @Sendable (Claim) -> Void) async -> Bool {
        let room = min(mostClaimed - state.withLock { $0.claimed }, Dispatcher.claimLimit)
        guard room > 0, !Task.isCancelled else {
            state.withLock { $0.isCaughtUp = false }
            return false
        }
        do {
            let claim = try await journal.claim(
                host: options.hostID, namespace: options.namespace, now: ambient.now, limit: room, only: nil)
            let hasMore = claim.runs.count + claim.told.count == room
            state.withLock { state in
                state.claimed += claim.runs.count
                state.isCaughtUp = !hasMore
            }
            hand(claim)
            if let due = claim.nextDue { note(due: due) }
            return hasMore
        } catch {
            state.withLock { $0.isCaughtUp = false }
            logger.error("runs can't be claimed; trying again in 1 s: \(error)")
            note(due: ambient.now.adding(milliseconds: Dispatcher.retryMilliseconds))
            return false
        }
    }
}
