public import PerigeeJournal
import Synchronization

extension WorkflowHost {
    // MARK: Acting on runs

    /// Does something to a run, with an audit record.
    ///
    /// - Parameters:
    ///   - by: who asks for it.
    ///   - reason: why, for those who look at it later; a result that is set by hand needs one.
    ///   - batch: the batch that it is a part of, by its id.
    /// - Returns: the run as it stands now.
    /// - Throws: ``HostError`` if there is no such run or step, or where the run's state does not permit it;
    ///   ``JournalError`` if the store fails.
    public func act(
        on id: String, _ request: RunRequest, by: String, reason: String? = nil, batch: String? = nil
    ) async throws -> RunRecord {
        if case .setResult = request, (reason ?? "").allSatisfy(\.isWhitespace) {
            throw HostError.reasonRequired
        }
        let note = try note(request.name, by: by, reason: reason, batch: batch)
        let plan = try await plan(request, on: id, by: note.by, reason: note.reason)
        guard let result = try await journal.act(on: id, plan.action, note: note, now: ambient.now) else {
            throw HostError.unknownRun(id)
        }
        switch result {
        case .repeated(let run): return run
        case .refused(let run): throw HostError.notNow(request, run)
        case .done(let run):
            await follow(plan.action, run)
            return run
        }
    }

    /// What an action would come to; nothing is done.
    ///
    /// - Throws: what ``act(on:_:by:reason:batch:)`` would throw, but for a missing reason.
    public func preview(_ request: RunRequest, on id: String) async throws -> ActionPreview {
        let plan = try await plan(request, on: id, by: "", reason: nil)
        return ActionPreview(run: plan.run, sendsAgain: plan.sendsAgain)
    }

    /// A page of what people did, newest first.
    ///
    /// - Parameters:
    ///   - run: only what was done to this run.
    ///   - limit: at most this many, 1 to 500.
    ///   - cursor: where the page begins.
    /// - Throws: ``JournalError`` if the store fails.
    public func audit(run: String? = nil, limit: Int = 50, cursor: Int64? = nil) async throws -> AuditPage {
        try await journal.audit(AuditQuery(namespace: namespace, run: run, limit: limit, cursor: cursor))
    }

    func note(_ action: String, by: String, reason: String?, batch: String? = nil) throws(HostError)
        -> ActionNote
    {
        guard by.utf8.count <= 256, (reason ?? "").utf8.count <= 16_384 else {
            throw .invalid("`by` or `reason` is too long.", hint: "At most 256 bytes and 16 KiB.")
        }
        let reason = reason.flatMap { $0.allSatisfy(\.isWhitespace) ? nil : $0 }
        return ActionNote(by: by.isEmpty ? "unknown" : by, action: action, reason: reason, batch: batch)
    }

    /// What has to be told at once when an action is recorded.
    private func follow(_ action: RunAction, _ run: RunRecord) async {
        let shard = shard(of: run.number)
        switch action {
        case .cancel where run.status.isFinal:
            await tellEnded(run)
        case .cancel, .pause: await shard?.tell(ClaimedRun(run: run, answers: []))
        case .resume, .retry, .retryNow, .setResult: break
        }
        dispatcher.poke()
        activityHub.send(.runChanged(id: run.id))
    }

    // MARK: Planning

    private struct Plan {
        var action: RunAction
        var run: RunRecord
        var sendsAgain: [ResentCall] = []
    }

    private func plan(
        _ request: RunRequest, on id: String, by: String, reason: String?
    ) async throws -> Plan {
        let run = try await run(id: id)
        switch request {
        case .cancel, .terminate:
            if run.status.isFinal { throw HostError.alreadyEnded(run) }
            let error = Cancelled.error(by: by, reason: reason).bytes
            return Plan(action: .cancel(error: error, isForced: request == .terminate), run: run)
        case .pause: return Plan(action: .pause, run: run)
        case .resume:
            guard run.pausedAt != nil else { throw HostError.notNow(request, run) }
            let calls = ResentCall.calls(in: try await history(run: id)) { _ in false }
            return Plan(action: .resume, run: run, sendsAgain: calls)
        case .retry(let version): return try await planRetry(request, run, version)
        case .skip(let step): return try await planResult(request, run, step, .null)
        case .setResult(let step, let value): return try await planResult(request, run, step, value)
        case .retryNow(let step):
            let waits = run.waits.filter { $0.kind == .retry }.map(\.address)
            let address = try one(of: waits.filter(step.means), step, known: waits)
            let calls = ResentCall.calls(in: try await history(run: id)) { _ in false }
            return Plan(
                action: .retryNow(address), run: run, sendsAgain: calls.filter { $0.address == address })
        }
    }

    private func planRetry(
        _ request: RunRequest, _ run: RunRecord, _ version: RunRequest.RetryVersion,
        result: (step: StepReference, value: JSON)? = nil
    ) async throws -> Plan {
        guard run.status.canBeRetried else { throw HostError.notNow(request, run) }
        let error = run.error.flatMap { try? JSON(parsing: $0) }
        if run.startedAt == nil, let error { throw HostError.neverBegan(run, error) }
        if let other = try await openRun(withKeyOf: run) { throw HostError.keyTaken(run.key ?? "", other) }
        let history = try await history(run: run.id)
        var reopening = Reopening(entryCount: run.entryCount, reset: [])
        reopening.move = try version == .newest ? move(of: run) : nil
        var awaited = AwaitedRun.all(in: history)
        var (plan, foresight) = try await lookAhead(history, error, reopening.move, keeping: awaited)
        if case .diverges = foresight, !awaited.isEmpty {
            // Another version may no longer call them.
            awaited = []
            (plan, foresight) = try await lookAhead(history, error, reopening.move)
        }
        if case .stopsAgain(let again) = foresight {
            // What stopped it may stand behind why it ended: it needed attention before it was cancelled.
            (plan, foresight) = try await lookAhead(
                history, try? JSON(parsing: again), reopening.move, keeping: awaited)
        }
        reopening.reset = plan.reset
        reopening.awaits = awaited.map(\.wait)
        var next: [StepAddress] = []
        switch foresight {
        case .goesOn(let steps, let inside):
            next = steps
            try await regain(inside, &reopening, history, hasResult: result != nil)
        case .stopsAgain(let again): throw HostError.stopsAgain(run, try? JSON(parsing: again), version)
        case .diverges(let reason): throw HostError.goesAnotherWay(run, reopening.move?.version, reason)
        }
        if let result {
            // Of what it comes to next, the step that stopped it is meant, where no other is named.
            let failed = next.filter { $0.label == error?["step"]?.string }
            let known = result.step.label == nil && !failed.isEmpty ? failed : next
            let address = try one(of: known.filter(result.step.means), result.step, known: next)
            reopening.result = Reopening.StepResult(address: address, value: result.value.bytes)
            reopening.awaits.removeAll { $0.address == address }
        }
        let taken = Set(plan.reset)
        let calls = ResentCall.calls(in: history) { taken.contains($0.sequence) }
        return Plan(
            action: .retry(reopening), run: run,
            sendsAgain: calls.filter { $0.address != reopening.result?.address })
    }

    /// A run that goes on inside locks has to have them still, or asks for them again.
    ///
    /// - Parameter hasResult: whether the step inside is given a result; it can't be before the lock is there.
    private func regain(
        _ inside: [Step], _ reopening: inout Reopening, _ history: RunHistory, hasResult: Bool
    ) async throws {
        guard !inside.isEmpty else { return }
        let held = Set(try await relations(run: history.run.id).heldLocks.map(\.key))
        let lost = inside.filter { !held.contains(Lock.key(of: $0)) }
        let reset = Set(reopening.reset)
        let again = Lock.askAgain(
            lost, in: RunLog.valid(history.entries).filter { !reset.contains($0.sequence) })
        if let step = again.begun ?? (hasResult ? lost.first : nil) {
            throw HostError.withoutLock(Lock.key(of: step), step.address)
        }
        reopening.reset = reset.union(again.taken).sorted()
        reopening.locks = held.intersection(inside.map(Lock.key)).sorted()
    }

    /// Another run that has the key of one that has ended, and goes on.
    private func openRun(withKeyOf run: RunRecord) async throws -> RunRecord? {
        guard run.status.isFinal, let key = run.key else { return nil }
        let query = RunQuery(namespace: namespace, workflows: [run.workflow], key: key, limit: 500)
        return try await journal.runs(query).runs.first { !$0.status.isFinal }
    }

    /// What is taken back where a run stopped by an error, and what it then comes to.
    private func lookAhead(
        _ history: RunHistory, _ error: JSON?, _ move: Commit.Move?, keeping awaited: [AwaitedRun] = []
    ) async throws -> (plan: RetryPlan, foresight: Foresight) {
        let plan = RetryPlan(history.entries, error: error, keeping: awaited)
        guard plan.unwound.isEmpty else { throw HostError.hasUnwound(history.run, plan.unwound) }
        var entries = history.entries
        if !plan.reset.isEmpty {
            entries.append(
                Entry(
                    sequence: history.run.entryCount + 1, recordedAt: history.run.createdAt,
                    fact: .reset(plan.reset)))
        }
        let bundle = move?.bundle ?? history.run.bundle
        return (plan, try await foresee(history.run, entries, bundle: bundle))
    }

    /// The move to the newest version; `nil` if the run is on it.
    private func move(of run: RunRecord) throws(HostError) -> Commit.Move? {
        guard let newest = registry.newest(run.workflow)?.version else {
            throw .unknownWorkflow(run.workflow, near: nil)
        }
        guard newest.bundle != run.bundle else { return nil }
        return Commit.Move(version: newest.number, bundle: newest.bundle)
    }

    /// What a run would come to with these entries on a version.
    func foresee(_ run: RunRecord, _ entries: [Entry], bundle: String) async throws -> Foresight {
        guard let services = phase.withLock({ $0.services }), let shard = shard(of: run.number) else {
            throw HostError.shuttingDown
        }
        let compiled = try await services.compiled(bundle, workflow: run.workflow)
        return await shard.foresee(run, entries: entries, compiled: compiled)
    }

    private func planResult(
        _ request: RunRequest, _ run: RunRecord, _ step: StepReference, _ value: JSON
    ) async throws -> Plan {
        if run.status.canBeRetried {
            return try await planRetry(request, run, .same, result: (step, value))
        }
        guard !run.status.isFinal else { throw HostError.notNow(request, run) }
        let address = try await underWay(step, in: run, orWaits: run.waits)
        return Plan(action: .setResult(address, value.bytes), run: run)
    }

    /// The step that is being done, or that waits, and that a person means.
    private func underWay(
        _ step: StepReference, in run: RunRecord, orWaits waits: [Wait] = []
    ) async throws -> StepAddress {
        let steps = await shard(of: run.number)?.stepsUnderWay(run.number) ?? []
        let known = waits.map(\.address) + steps.map(\.address)
        return try one(of: known.filter(step.means), step, known: known)
    }

    private func one(
        of candidates: [StepAddress], _ step: StepReference, known: [StepAddress]
    ) throws(HostError) -> StepAddress {
        guard let first = candidates.first else { throw .unknownStep(step, known) }
        guard candidates.count == 1 else { throw .ambiguousStep(candidates) }
        return first
    }
}
