import Logging
import PerigeeJournal

/// Owns a part of the runs and runs their scripts, all on one thread: a run's state needs no lock.
///
/// Commits go to the journal in batches, one batch at a time, so that what is ready meanwhile makes the next batch;
/// they run in tasks of their own, where no cancellation reaches them.
actor Shard {
    private let thread: ShardThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let services: RunServices
    private var running: [Int64: RunExecution] = [:]
    private var resident: ResidentRuns
    /// Runs that were claimed again before the commit that let go of them was acknowledged here.
    private var early: [Int64: ClaimedRun] = [:]
    private var outbox: [Commit] = []
    private var flushing: Task<Void, Never>?
    /// No effect begins any more; what is on its way to the journal still arrives.
    private var isEnding = false
    private var isClosed = false

    init(index: Int, services: RunServices, residentRuns: Int) {
        thread = ShardThread(name: "perigee-shard-\(index)")
        self.services = services
        resident = ResidentRuns(limit: residentRuns)
    }

    deinit {
        thread.stop()
    }

    // MARK: Taking runs up

    /// Goes on with a run that this host has claimed.
    func take(_ claimed: ClaimedRun) async {
        guard !isEnding else { return }
        let number = claimed.run.number
        if let before = running[number] {
            guard !before.isCommitting else { return early[number] = claimed }
            // Its lease was over, and this host has taken it anew: what the old execution does counts no more.
            before.effect?.cancel()
            release(before)
        }
        if let execution = resident.remove(number), execution.machine.epoch == claimed.run.epoch - 1 {
            running[number] = execution
            let action = execution.machine.wake(claimed, at: services.now)
            perform(action, execution)
            return
        }
        do {
            let prepared = try await services.prepare(claimed)
            let machine = RunMachine(
                claimed, entries: prepared.entries, publicURL: services.context.publicURL)
            let execution = try RunExecution(
                machine: machine, compiled: prepared.compiled, context: services.context)
            running[number] = execution
            if prepared.entries.isEmpty {
                services.tell(.runStarted(run: claimed.run.id, workflow: claimed.run.workflow))
            }
            services.tell(.runChanged(id: claimed.run.id))
            if let error = services.cancelRequested(number) { execution.cancellation = error }
            advance(execution, nil)
        } catch {
            refuse(claimed, error)
        }
    }

    /// A run that can't even be loaded needs attention, where everybody sees it.
    private func refuse(_ claimed: ClaimedRun, _ error: any Error) {
        let report =
            (error as? ScriptProblem).map { problem in
                ScriptError(
                    code: problem.code, kind: "script", message: problem.message, hint: problem.hint,
                    fields: [
                        "script": .string(problem.file), "line": .int(Int64(problem.line)),
                        "excerpt": .string(problem.excerpt),
                    ])
            }
            ?? ScriptError(
                code: "PG2051", kind: "limit", message: "The run could not be taken up: \(error).",
                hint: "Check the host's memory and its database, then cancel or restart the run.")
        outbox.append(
            Commit(
                run: claimed.run.number, epoch: claimed.run.epoch, at: services.now,
                next: .attention(error: report.bytes)))
        flush()
        services.released()
    }

    // MARK: Running scripts

    private func advance(_ execution: RunExecution, _ reply: Outcome?) {
        if let error = execution.cancellation { return cancel(execution, error) }
        switch execution.advance(reply, at: { services.now }) {
        case .preempted:
            let (number, epoch) = (execution.run.number, execution.machine.epoch)
            Task { self.continueSlice(number, epoch) }
        case .action(let action):
            perform(action, execution)
        }
    }

    private func continueSlice(_ number: Int64, _ epoch: Int64) {
        guard let execution = current(number, epoch), !execution.isCommitting else { return }
        advance(execution, nil)
    }

    /// The execution that something begun earlier belongs to; `nil` if it was given up or taken up anew meanwhile.
    private func current(_ number: Int64, _ epoch: Int64) -> RunExecution? {
        running[number].flatMap { $0.machine.epoch == epoch ? $0 : nil }
    }

    private func perform(_ action: RunMachine.Action, _ execution: RunExecution) {
        switch action {
        case .resume(let outcome): advance(execution, outcome)
        case .commit(let commit):
            execution.isCommitting = true
            outbox.append(services.withStarts(commit, execution.run))
            flush()
        case .perform(let effect, let step): begin(effect, step, execution)
        case .release: release(execution)
        }
    }

    private func begin(_ effect: Effect, _ step: Step, _ execution: RunExecution) {
        guard !isEnding else { return }
        if let commit = execution.machine.besideCommit(at: services.now) {
            outbox.append(commit)
            flush()
        }
        let (number, epoch) = (execution.run.number, execution.machine.epoch)
        let run = execution.run
        execution.effect = Task { [services] in
            let result = await services.perform(
                effect, step, run,
                report: { detail in await self.attempted(number, epoch, step, detail) })
            guard let result else { return }
            self.effectEnded(number, epoch, step, result)
        }
    }

    private func effectEnded(_ number: Int64, _ epoch: Int64, _ step: Step, _ result: EffectResult) {
        guard let execution = current(number, epoch), !execution.isCommitting else { return }
        execution.effect = nil
        services.tell(execution.run, step, result)
        let action = execution.machine.effectEnded(result, step: step, at: services.now)
        perform(action, execution)
    }

    private func attempted(_ number: Int64, _ epoch: Int64, _ step: Step, _ detail: AttemptDetail) {
        guard let execution = current(number, epoch) else { return }
        services.tell(
            .attempt(
                run: execution.run.id, workflow: execution.run.workflow, step: step.address.label,
                detail: detail))
        guard !execution.isCommitting else { return }
        outbox.append(services.attemptCommit(execution, step, detail))
        flush()
    }

    /// Lets go of a run that waits, needs attention or has ended, and that is durable.
    private func release(_ execution: RunExecution) {
        let number = execution.run.number
        running[number] = nil
        services.released()
        guard let claimed = early.removeValue(forKey: number) else { return }
        Task { await self.take(claimed) }
    }

    // MARK: Cancelling

    /// Ends a run of this shard as soon as no commit of it is on its way; nothing if the run is not here.
    func cancelRun(_ number: Int64, error: Payload) {
        resident.remove(number)
        guard let execution = running[number] else { return }
        execution.cancellation = error
        guard !execution.isCommitting else { return }
        execution.effect?.cancel()
        execution.effect = nil
        cancel(execution, error)
    }

    private func cancel(_ execution: RunExecution, _ error: Payload) {
        execution.cancellation = nil
        execution.machine.end(.cancelled, output: nil, error: error)
        perform(execution.machine.suspended(at: services.now), execution)
    }

    /// Drops what is kept of a run in memory; it is replayed when it is claimed again.
    func forget(_ number: Int64) {
        resident.remove(number)
    }

    // MARK: Committing

    private func flush() {
        guard flushing == nil, !outbox.isEmpty, !isClosed else { return }
        flushing = Task {
            // Everything that becomes ready on this thread before the task runs rides along.
            let batch = outbox
            outbox = []
            let results = await services.commit(batch)
            acknowledge(batch, results)
        }
    }

    private func acknowledge(_ batch: [Commit], _ results: [Result<CommitReceipt, JournalError>]) {
        flushing = nil
        for (commit, result) in zip(batch, results) { acknowledge(commit, result) }
        flush()
    }

    private func acknowledge(_ commit: Commit, _ result: Result<CommitReceipt, JournalError>) {
        let execution = current(commit.run, commit.epoch)
        if case .failure(let error) = result {
            // Another host has the run, or a person ended it: what is in memory here is no longer true.
            services.logger.notice("run \(commit.run) was given up: \(error)")
            execution?.effect?.cancel()
            if let execution { release(execution) }
            return
        }
        if case .success(let receipt) = result { services.committed(commit, receipt, execution) }
        guard let execution else { return }
        // Annotations travel beside the run and nothing waits for them.
        let isBeside = commit.next == .running && commit.entries.isEmpty
        guard !isBeside, execution.isCommitting else { return }
        execution.isCommitting = false
        if case .waiting = commit.next {
            if execution.cancellation == nil { resident.insert(execution) }
            release(execution)
            // The run was let go while somebody asked to cancel it: now nobody owns it, and the journal can.
            if let error = execution.cancellation { services.cancel(execution.run, error) }
            return
        }
        if commit.next == .running, let error = execution.cancellation { return cancel(execution, error) }
        perform(execution.machine.committed(at: services.now), execution)
    }

    // MARK: Ending

    /// Waits until nothing is being committed, and then commits no more.
    ///
    /// What the store can't take now is not tried again: the runs are taken up where they were at the next start.
    func close() async {
        isEnding = true
        for execution in running.values { execution.effect?.cancel() }
        while let last = flushing {
            last.cancel()
            await last.value
        }
        isClosed = true
        running.removeAll()
        resident = ResidentRuns(limit: 0)
    }

    /// Replays a waiting run against another version, without any effect.
    func check(_ claimed: ClaimedRun, entries: [Entry], against compiled: CompiledBundle) -> ReplayVerdict {
        ReplayCheck.run(claimed, entries: entries, compiled: compiled, context: services.context)
    }
}

/// Waiting runs that stay in memory, the ones that were used last; a run that leaves is replayed when it is woken.
struct ResidentRuns {
    let limit: Int
    private var executions: [Int64: RunExecution] = [:]
    private var order: [Int64] = []

    init(limit: Int) {
        self.limit = limit
    }

    mutating func insert(_ execution: RunExecution) {
        guard limit > 0 else { return }
        let number = execution.run.number
        if executions.updateValue(execution, forKey: number) == nil { order.append(number) }
        guard executions.count > limit else { return }
        // A removed run's place in the order is passed over.
        let overflow = order.prefix(order.count - limit / 2)
        order.removeFirst(overflow.count)
        for old in overflow { executions[old] = nil }
    }

    @discardableResult
    mutating func remove(_ number: Int64) -> RunExecution? {
        let removed = executions.removeValue(forKey: number)
        if order.count > 4 * max(executions.count, 16) { order.removeAll { executions[$0] == nil } }
        return removed
    }
}
