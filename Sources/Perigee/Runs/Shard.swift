import Logging
import PerigeeJournal
import PerigeeLua

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
    /// Runs that wait until there are fewer in work.
    private var line = RunLine()
    private let mostInWork: Int
    private var isFilling = false
    /// Runs whose scripts or records are being read.
    private var loading: [Int64: ClaimedRun] = [:]
    /// Runs that were claimed again before the commit that let go of them was acknowledged here.
    private var early: [Int64: ClaimedRun] = [:]
    /// What was told of runs that are not here: one that was taken as it was accepted, so that this is its first epoch,
    /// may be on its way.
    private var untaken: [Int64: ClaimedRun] = [:]
    /// Most of these have just been let go of and never come; what is forgotten is seen at the run's next wait.
    private static let mostUntaken = 256
    private var outbox: [Commit] = []
    private var flushing: Task<Void, Never>?
    /// No run is taken up any more that stands in line.
    private var isLeaving = false
    /// No effect begins any more; what is on its way to the journal still arrives.
    private var isEnding = false
    private var isClosed = false

    init(index: Int, services: RunServices, residentRuns: Int, mostInWork: Int) {
        thread = ShardThread(name: "perigee-shard-\(index)", whenIdle: LuaState.giveBackMemory)
        self.services = services
        self.mostInWork = mostInWork
        resident = ResidentRuns(limit: residentRuns)
    }

    deinit {
        thread.stop()
    }

    // MARK: Taking runs up

    /// Goes on with runs that this host has claimed, and with those for which something has come.
    nonisolated func hand(_ runs: [ClaimedRun], told: [ClaimedRun] = []) {
        post { shard in
            for run in runs { shard.take(run) }
            for run in told { shard.tell(run) }
        }
    }

    /// Does something on the shard's thread, soon.
    nonisolated private func post(_ body: @escaping @Sendable (isolated Shard) -> Void) {
        thread.post { [self] in assumeIsolated { body($0) } }
    }

    private func take(_ claimed: ClaimedRun) {
        let number = claimed.run.number
        guard !isEnding else { return }
        var claimed = claimed
        if let told = untaken.removeValue(forKey: number), told.run.epoch == claimed.run.epoch {
            claimed = told.joining(claimed)
        }
        // The older claim of one that stands in line counts no more.
        if line[number] != nil {
            line.add(claimed)
            return services.takenAgain(claimed.run)
        }
        // What is being read for an older claim counts no more.
        loading[number] = nil
        if let before = running[number] {
            guard !before.isCommitting else {
                if early.updateValue(claimed, forKey: number) != nil { services.takenAgain(claimed.run) }
                return
            }
            // Its lease was over, and this host has taken it anew: what the old execution does counts no more.
            release(before)
        }
        if let execution = resident.remove(number), execution.machine.epoch == claimed.run.epoch - 1 {
            running[number] = execution
            execution.machine.take(claimed)
            askToEnd(execution, claimed)
            return advance(execution)
        }
        guard !isLeaving else { return services.released(claimed.run) }
        line.add(claimed)
        fill()
    }

    /// Takes up those first in line, as long as there is room.
    private func fill() {
        // One that can't be taken up lets go at once, and would begin this anew inside itself.
        guard !isFilling, !isEnding else { return }
        isFilling = true
        defer { isFilling = false }
        while running.count + loading.count < mostInWork, let claimed = line.next() { takeUp(claimed) }
    }

    private func takeUp(_ claimed: ClaimedRun) {
        if claimed.run.entryCount == 0, let compiled = services.loaded(claimed.run.bundle) {
            return begin(claimed, compiled, entries: [])
        }
        loading[claimed.run.number] = claimed
        Task { await self.load(claimed) }
    }

    /// Reads what a run needs, and goes on with it.
    private func load(_ claimed: ClaimedRun) async {
        do {
            let prepared = try await services.prepare(claimed)
            if let latest = loaded(claimed) { begin(latest, prepared.compiled, entries: prepared.entries) }
        } catch {
            if let latest = loaded(claimed) { refuse(latest, error) }
        }
    }

    /// The run as it was told last; `nil` if its lease was over while it was read and it was taken anew.
    private func loaded(_ claimed: ClaimedRun) -> ClaimedRun? {
        let number = claimed.run.number
        guard !isEnding, let latest = loading[number], latest.run.epoch == claimed.run.epoch else {
            letGo(claimed.run)
            return nil
        }
        loading[number] = nil
        return latest
    }

    private func begin(_ claimed: ClaimedRun, _ compiled: CompiledBundle, entries: [Entry]) {
        do {
            let machine = RunMachine(claimed, entries: entries, publicURL: services.context.publicURL)
            let execution = try RunExecution(
                machine: machine, compiled: compiled, context: services.context)
            running[claimed.run.number] = execution
            if entries.isEmpty {
                services.tell(.runStarted(run: claimed.run.id, workflow: claimed.run.workflow))
            }
            services.tell(.runChanged(id: claimed.run.id))
            askToEnd(execution, claimed)
            advance(execution)
        } catch {
            refuse(claimed, error)
        }
    }

    /// Goes on with a run that this host works on, with what has come for it.
    func tell(_ claimed: ClaimedRun) {
        let number = claimed.run.number
        if let before = line[number], before.run.epoch == claimed.run.epoch {
            line.add(claimed.joining(before))
            return
        }
        if let before = loading[number], before.run.epoch == claimed.run.epoch {
            return loading[number] = claimed.joining(before)
        }
        guard let execution = current(number, claimed.run.epoch) else {
            // One that is being let go is claimed with it at once.
            guard claimed.run.owner != nil, claimed.run.epoch == 1 else { return }
            if untaken.count >= Shard.mostUntaken { untaken.removeAll() }
            return untaken[number] = claimed.joining(untaken[number])
        }
        execution.machine.take(claimed)
        askToEnd(execution, claimed)
        goOn(execution)
    }

    /// Hands on a request to cancel, or the end of the run's time.
    private func askToEnd(_ execution: RunExecution, _ claimed: ClaimedRun) {
        if let error = claimed.run.cancelRequest {
            execution.machine.receive(.endRequested(.cancelled, error: error))
        } else if claimed.run.pausedAt != nil {
            execution.machine.receive(.pauseRequested)
        } else if let deadline = claimed.run.deadlineAt, deadline <= services.now {
            execution.machine.receive(.endRequested(.timed_out, error: Cancelled.timedOut(claimed.run).bytes))
        }
    }

    /// The steps of a run that are being done.
    func stepsUnderWay(_ number: Int64) -> [Step] {
        (running[number]?.effects ?? [:]).values.map(\.step)
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
        let isCancelled = claimed.run.cancelRequest.map {
            Commit.Next.ended(.cancelled, output: nil, error: $0)
        }
        outbox.append(
            Commit(
                run: claimed.run.number, epoch: claimed.run.epoch, at: services.now,
                next: isCancelled ?? .attention(error: report.bytes)))
        flush()
        letGo(claimed.run)
    }

    /// The host works on a run no longer, so that there is room for another.
    private func letGo(_ run: RunRecord) {
        services.released(run)
        fill()
    }

    // MARK: Running scripts

    private func advance(_ execution: RunExecution) {
        let progress = execution.advance(at: { services.now })
        for token in execution.machine.takeDroppedEffects() {
            execution.effects.removeValue(forKey: token)?.task.cancel()
        }
        switch progress {
        case .preempted:
            let (number, epoch) = (execution.run.number, execution.machine.epoch)
            Task { self.continueSlice(number, epoch) }
        case .action(let action):
            perform(action, execution)
        }
    }

    private func continueSlice(_ number: Int64, _ epoch: Int64) {
        guard let execution = current(number, epoch), execution.isPreempted else { return }
        advance(execution)
    }

    /// Gives the script what has come, unless it runs or what it did is being committed: then that comes first.
    private func goOn(_ execution: RunExecution) {
        guard !execution.isCommitting, !execution.isPreempted, execution.machine.hasInput else { return }
        advance(execution)
    }

    /// The execution that something begun earlier belongs to; `nil` if it was given up or taken up anew meanwhile.
    private func current(_ number: Int64, _ epoch: Int64) -> RunExecution? {
        running[number].flatMap { $0.machine.epoch == epoch ? $0 : nil }
    }

    private func perform(_ action: RunMachine.Action, _ execution: RunExecution) {
        switch action {
        case .commit(let commit):
            execution.isCommitting = true
            outbox.append(services.withStarts(commit))
            flush()
        case .perform(let starts):
            showWork(execution)
            for start in starts { begin(start, execution) }
        case .rest: showWork(execution)
        case .release: release(execution)
        }
    }

    /// What the run logged is shown while it works.
    private func showWork(_ execution: RunExecution) {
        guard !isEnding, let commit = execution.machine.besideCommit(at: services.now) else { return }
        outbox.append(commit)
        flush()
    }

    private func begin(_ start: RunMachine.Start, _ execution: RunExecution) {
        guard !isEnding else { return }
        let (number, epoch) = (execution.run.number, execution.machine.epoch)
        let run = execution.run
        let task = perform(start, run) { shard, end in shard.effectEnded(number, epoch, start, end) }
        execution.effects[start.token] = (start.step, task)
    }

    /// Performs an effect off the shard's thread, and says there how it ended.
    nonisolated private func perform(
        _ start: RunMachine.Start, _ run: RunRecord,
        whenEnded: @escaping @Sendable (isolated Shard, EffectEnd) -> Void
    ) -> Task<Void, Never> {
        Task { [services] in
            guard let end = await services.perform(start.effect, run) else { return }
            post { whenEnded($0, end) }
        }
    }

    private func effectEnded(
        _ number: Int64, _ epoch: Int64, _ start: RunMachine.Start, _ end: EffectEnd
    ) {
        guard let execution = current(number, epoch),
            execution.effects.removeValue(forKey: start.token) != nil
        else { return }
        services.tell(execution.run, start.step, end)
        execution.machine.receive(.effectEnded(token: start.token, end))
        goOn(execution)
    }

    /// Lets go of a run that waits, needs attention or has ended, and that is durable.
    private func release(_ execution: RunExecution) {
        let number = execution.run.number
        running[number] = nil
        for effect in execution.effects.values { effect.task.cancel() }
        execution.effects = [:]
        letGo(execution.run)
        guard let claimed = early.removeValue(forKey: number) else { return }
        take(claimed)
    }

    /// Drops what is kept of a run in memory; it is replayed when it is claimed again.
    func forget(_ number: Int64) {
        resident.remove(number)
    }

    /// Gives up a run that was ended without its script being asked: the journal takes nothing more of it.
    func giveUp(_ number: Int64) {
        resident.remove(number)
        if let waiting = line.remove(number) { return services.released(waiting.run) }
        guard let execution = running[number], !execution.isCommitting else { return }
        release(execution)
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
            services.logger.notice(
                "the run was given up: \(error)",
                metadata: [
                    "run_id": "\(execution?.run.id ?? "number \(commit.run)")",
                    "correlation_id": "\(execution?.run.correlationID ?? "unknown")",
                ])
            if let execution { release(execution) }
            return
        }
        execution?.machine.run.apply(commit)
        if case .success(let receipt) = result { services.committed(commit, receipt, execution) }
        guard let execution else { return }
        // Annotations travel beside the run and nothing waits for them.
        let isBeside =
            commit.next == .running && commit.entries.isEmpty && commit.closes.isEmpty
            && commit.releases.isEmpty
        guard !isBeside, execution.isCommitting else { return }
        execution.isCommitting = false
        if case .waiting = commit.next { resident.insert(execution) }
        perform(execution.machine.committed(commit), execution)
        if running[commit.run] === execution { goOn(execution) }
    }

    // MARK: Ending

    /// Takes up no more of the runs that stand in line: the next host does.
    func leaveLine() {
        isLeaving = true
        for claimed in line.removeAll() { services.released(claimed.run) }
    }

    /// Waits until nothing is being committed, and then commits no more.
    ///
    /// What the store can't take now is not tried again: the runs are taken up where they were at the next start.
    func close() async {
        isEnding = true
        for effect in running.values.flatMap(\.effects.values) { effect.task.cancel() }
        while let last = flushing {
            last.cancel()
            await last.value
        }
        isClosed = true
        running.removeAll()
        resident = ResidentRuns(limit: 0)
    }

    /// What a run would come to if it went on with these entries, without any effect.
    func foresee(
        _ run: RunRecord, entries: [Entry], compiled: CompiledBundle
    ) -> Foresight {
        ReplayCheck.foresee(run, entries: entries, compiled: compiled, context: services.context)
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
