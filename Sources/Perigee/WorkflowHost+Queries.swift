public import PerigeeJournal
import Synchronization

extension WorkflowHost {
    // MARK: Runs

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
            activityHub.send(
                .runEnded(
                    run: id, workflow: run.workflow, status: run.status, milliseconds: 0,
                    error: error))
            activityHub.send(.runChanged(id: id))
            waiters.ended(id)
            // Its locks are free, those who waited for it have their answer, and its children are closed.
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

    // MARK: Approvals

    /// Approvals, those that are due first first.
    ///
    /// - Parameters:
    ///   - status: only these; `nil` for all.
    ///   - limit: at most this many, 1 to 500.
    /// - Throws: ``JournalError`` if the store fails.
    public func approvals(status: ApprovalStatus?, limit: Int) async throws -> [ApprovalRecord] {
        try await journal.approvals(namespace: namespace, status: status, limit: limit)
    }

    /// An approval as it stands.
    ///
    /// - Throws: ``HostError`` if there is none; ``JournalError`` if the store fails.
    public func approval(id: String) async throws -> ApprovalRecord {
        guard let approval = try await journal.approval(id: id), approval.namespace == namespace else {
            throw HostError.unknownApproval(id)
        }
        return approval
    }

    /// Decides an approval.
    ///
    /// The first decision counts.
    ///
    /// - Parameters:
    ///   - outcome: one of its choices; capitals do not matter.
    ///   - by: who decides.
    /// - Returns: the approval with the decision.
    /// - Throws: ``HostError`` for an unknown approval, one that is no longer open, an unknown outcome or a missing
    ///   comment; ``JournalError`` if the store fails.
    public func decide(
        approval id: String, outcome: String, by: String, comment: String? = nil, form: JSON? = nil
    ) async throws -> ApprovalRecord {
        let approval = try await approval(id: id)
        guard approval.status == .waiting else { throw HostError.alreadyDecided(approval) }
        guard let choice = approval.request.choices.first(where: { $0.lowercased() == outcome.lowercased() })
        else {
            throw HostError.unknownOutcome(outcome, approval.request.choices)
        }
        let comment = comment.flatMap { $0.allSatisfy(\.isWhitespace) ? nil : $0 }
        if comment == nil, approval.request.commentRequiredOn.contains(choice) {
            throw HostError.commentRequired(choice)
        }
        guard by.utf8.count <= 256, (comment ?? "").utf8.count <= 16_384 else {
            throw HostError.invalid("`by` or `comment` is too long.", hint: "At most 256 bytes and 16 KiB.")
        }
        let decision = Decision(
            outcome: choice, by: by.isEmpty ? "unknown" : by, at: ambient.now, comment: comment,
            form: form?.bytes)
        guard let decided = try await journal.decide(approval: id, decision) else {
            throw HostError.unknownApproval(id)
        }
        guard decided.isNew else { throw HostError.alreadyDecided(decided.approval) }
        dispatcher.poke()
        activityHub.send(
            .decided(
                run: approval.run, workflow: approval.workflow, step: approval.address.label, outcome: choice,
                by: decision.by, comment: comment))
        activityHub.send(.runChanged(id: approval.run))
        return decided.approval
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
