public import PerigeeJournal
import Synchronization

extension WorkflowHost {
    /// A run as it stands.
    ///
    /// - Throws: ``HostError`` if there is none; ``JournalError`` if the store fails.
    public func run(id: String) async throws -> RunRecord {
        guard let run = try await journal.run(id: id), run.namespace == namespace else {
            throw HostError.unknownRun(id)
        }
        return run
    }

    /// A page of runs, newest first.
    ///
    /// - Throws: ``JournalError`` if the store fails.
    public func runs(_ query: RunQuery) async throws -> RunPage {
        var query = query
        query.namespace = namespace
        return try await journal.runs(query)
    }

    /// Everything that is recorded of a run.
    ///
    /// - Throws: ``HostError`` if there is none; ``JournalError`` if the store fails.
    public func history(run id: String) async throws -> RunHistory {
        guard let history = try await journal.history(run: id), history.run.namespace == namespace else {
            throw HostError.unknownRun(id)
        }
        return history
    }

    /// The texts of a version by path.
    ///
    /// - Throws: ``JournalError`` if the store fails.
    public func files(bundle: String) async throws -> [String: String] {
        try await journal.files(bundle: bundle) ?? [:]
    }

    /// Cancels a run: its script gets an error at its next step that it can't catch, sagas undo what they did, and
    /// `on_cancel` runs.
    ///
    /// Asked a second time, the run ends at once.
    ///
    /// - Parameters:
    ///   - by: who cancels it.
    ///   - reason: why, for those who look at it later.
    ///   - isForced: end it at once, without asking its script.
    /// - Returns: the run as it stands now.
    /// - Throws: ``HostError`` if there is no such run or it has ended; ``JournalError`` if the store fails.
    public func cancel(
        run id: String, by: String, reason: String? = nil, isForced: Bool = false
    ) async throws -> RunRecord {
        _ = try await run(id: id)
        let error = Cancelled.error(by: by, reason: reason).bytes
        switch try await journal.cancel(run: id, error: error, isForced: isForced, now: ambient.now) {
        case nil: throw HostError.unknownRun(id)
        case .alreadyEnded(let run): throw HostError.alreadyEnded(run)
        case .ended(let run):
            await shard(of: run.number)?.giveUp(run.number)
            activityHub.sendEnded(run, to: waiters)
            // Its end may have let a run go on that waited for it, or for its key, its slot or its locks.
            dispatcher.poke()
            await tellChildren(of: id)
            return run
        case .requested(let run):
            await shard(of: run.number)?.tell(ClaimedRun(run: run, answers: []))
            dispatcher.poke()
            activityHub.send(.runChanged(id: id))
            return run
        }
    }

    /// The run once it has ended or needs attention, or as it is when the time is over.
    ///
    /// - Parameter timeoutMilliseconds: 0 or more.
    /// - Throws: ``HostError`` if there is no such run; ``JournalError`` if the store fails; `CancellationError` if the
    ///   task is cancelled.
    public func waitForEnd(run id: String, timeoutMilliseconds: Int64) async throws -> RunRecord {
        let deadline = ambient.now.adding(milliseconds: timeoutMilliseconds)
        while true {
            let signal = waiters.signal(id)
            let run = try await run(id: id)
            let left = deadline.milliseconds - ambient.now.milliseconds
            guard !run.status.isFinal, run.status != .attention else {
                // Nobody else will open the signal of a run that had ended before.
                waiters.ended(id)
                return run
            }
            guard left > 0 else { return run }
            try Task.checkCancellation()
            // Another host may end the run, which only the store tells.
            let until = ambient.now.adding(milliseconds: min(left, 1000))
            await withTaskGroup { group in
                group.addTask { await signal.wait() }
                group.addTask { [ambient] in try? await ambient.sleep(until: until) }
                await group.next()
                group.cancelAll()
            }
        }
    }
}

/// Wakes those who wait for the end of a run.
final class EndWaiters: Sendable {
    private struct State {
        var signals: [String: Readiness] = [:]
        var isFinished = false
    }

    private let state = Mutex(State())

    /// A signal that opens at the run's next end or stop.
    func signal(_ run: String) -> Readiness {
        state.withLock { state in
            if let found = state.signals[run] { return found }
            let made = Readiness()
            if state.isFinished { made.open() } else { state.signals[run] = made }
            return made
        }
    }

    func ended(_ run: String) {
        state.withLock { $0.signals.removeValue(forKey: run) }?.open()
    }

    func finish() {
        let signals = state.withLock { state in
            state.isFinished = true
            defer { state.signals.removeAll() }
            return Array(state.signals.values)
        }
        for signal in signals { signal.open() }
    }
}
