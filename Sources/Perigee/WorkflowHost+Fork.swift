public import PerigeeJournal

/// A new run that is to begin with what another one did.
public struct RunFork: Hashable, Sendable {
    /// The version that the new run is on.
    public enum Version: Hashable, Sendable {
        /// That of the other run.
        case same
        case newest
        case number(Int)
    }

    /// The step from which on everything is done again; `nil` for the beginning.
    public var from: StepReference?
    public var version: Version
    /// The input; `nil` for that of the other run.
    public var input: JSON?
    /// The business key of the new run; `nil` for none.
    public var key: String?

    public init(
        from: StepReference? = nil, version: Version = .same, input: JSON? = nil, key: String? = nil
    ) {
        self.from = from
        self.version = version
        self.input = input
        self.key = key
    }
}

extension WorkflowHost {
    // MARK: Forking

    /// Starts a run that begins with what another one did before a step; the other one stays as it is.
    ///
    /// The new run has an id, and its calls have idempotency keys, of its own. Its waits for events do not look back at
    /// what came before it was created.
    ///
    /// - Parameters:
    ///   - by: who asks for it.
    ///   - reason: why, for those who look at it later.
    /// - Returns: the new run.
    /// - Throws: ``HostError`` for an unknown run, step or version, an input that does not fit, a key that another run
    ///   has, or a script that goes another way than what was done before the step; ``JournalError`` if the store
    ///   fails.
    public func fork(
        run id: String, _ fork: RunFork, by: String, reason: String? = nil
    ) async throws -> RunRecord {
        let note = try note("fork", by: by, reason: reason)
        var start = try await plan(fork, of: id).start
        start.startedBy = note
        let submission = Submission(namespace: namespace, starts: [start])
        guard let receipt = try await submit([.success(submission)]).first else {
            throw HostError.shuttingDown
        }
        let made = try await run(id: try receipt.get().runs.first ?? "")
        guard made.id == start.id else { throw HostError.keyTaken(start.key ?? "", made) }
        activityHub.send(.runChanged(id: made.id))
        return made
    }

    /// What a fork would send again; nothing is done.
    ///
    /// - Throws: what ``fork(run:_:by:reason:)`` would throw, but for a key that another run has.
    public func preview(_ fork: RunFork, of id: String) async throws -> ActionPreview {
        let plan = try await plan(fork, of: id)
        return ActionPreview(run: plan.history.run, sendsAgain: plan.sendsAgain)
    }

    private struct ForkStart {
        var start: NewRun
        var history: RunHistory
        var sendsAgain: [ResentCall]
    }

    private func plan(_ fork: RunFork, of id: String) async throws -> ForkStart {
        let history = try await history(run: id)
        let run = history.run
        let address = try fork.from.map { try step($0, in: history) }
        guard let plan = ForkPlan(history.entries, from: address) else {
            throw HostError.unknownStep(fork.from ?? StepReference(), [])
        }
        let target = try await target(fork.version, of: run)
        let input = try fork.input ?? JSON(parsing: run.input, maxDepth: 512)
        guard input.bytes.count <= options.maxEventBytes else {
            throw HostError.tooLarge(options.maxEventBytes)
        }
        if let key = fork.key, key.isEmpty || key.utf8.count > 512 {
            throw HostError.invalid("`key` has \(key.utf8.count) bytes.", hint: "A key has 1 to 512 bytes.")
        }
        let asked = RunStart(
            target: target, input: input, trigger: RunRecord.rerunTrigger(of: run, from: address))
        guard asked.faults.isEmpty else { throw HostError.invalidInput(asked.faults) }
        var start = asked.newRun(correlationID: run.correlationID, ambient: ambient)
        start.key = fork.key
        start.onConflict = .useExisting
        start.entries = plan.entries
        start.forkOf = run.id
        if !plan.entries.isEmpty {
            let again = try await check(start, of: run)
            start.entries.removeAll { again.contains($0.sequence) }
        }
        let calls = ResentCall.calls(in: history) { $0.sequence >= plan.cut }
        return ForkStart(start: start, history: history, sendsAgain: calls)
    }

    /// Makes sure that the script of the new run goes by way of what it begins with.
    ///
    /// - Returns: the sequences of entries that it begins without, so that it asks again for locks.
    private func check(_ start: NewRun, of run: RunRecord) async throws -> Set<Int> {
        var copy = run
        copy.id = start.id
        copy.input = start.input
        copy.trigger = start.trigger
        switch try await foresee(copy, start.entries, bundle: start.bundle) {
        case .diverges(let reason): throw HostError.goesAnotherWay(run, start.version, reason)
        case .goesOn(_, let inside):
            let again = Lock.askAgain(inside, in: start.entries)
            if let step = again.begun { throw HostError.withoutLock(Lock.key(of: step), step.address) }
            return again.taken
        case .stopsAgain: return []
        }
    }

    /// The recorded step that is meant; of several, the first.
    private func step(_ reference: StepReference, in history: RunHistory) throws -> StepAddress {
        let known = RunLog.valid(history.entries).filter { !$0.isOfHook }.compactMap(\.address)
        guard let found = known.first(where: reference.means) else {
            throw HostError.unknownStep(
                reference, known.reduce(into: []) { if !$0.contains($1) { $0.append($1) } })
        }
        return found
    }

    private func target(
        _ version: RunFork.Version, of run: RunRecord
    ) async throws -> TriggerIndex.Target {
        let newest = registry.target(run.workflow)
        var number = run.version
        switch version {
        case .same: break
        case .newest:
            guard let newest else { throw HostError.unknownWorkflow(run.workflow, near: nil) }
            return newest
        case .number(let given): number = given
        }
        if let newest, newest.version.number == number { return newest }
        let found = try await journal.version(namespace: namespace, workflow: run.workflow, number: number)
        guard let found, let files = try await journal.files(bundle: found.bundle) else {
            throw HostError.unknownVersion(run.workflow, number)
        }
        return TriggerIndex.Target(
            version: found,
            definition: try registry.load(ScriptBundle(workflow: run.workflow, files: files)).definition)
    }
}
