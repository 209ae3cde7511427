import Logging
import PerigeeJournal
import Synchronization

/// What the shards need of the world: the journal, effects, triggers, and who is told.
final class RunServices: Sendable {
    let context: RunContext
    let logger: Logger
    private let journal: any Journal
    private let registry: ScriptRegistry
    private let activity: ActivityHub
    private let http: HTTPClientParts
    private let secrets: SecretFinder
    private let functions: FunctionTable
    private let dispatcher: Dispatcher
    private let reminders: ReminderClock
    private let waiters: EndWaiters
    private let onChildrenClosed: @Sendable (String) -> Void
    /// Chunks of versions that are no longer the newest, by bundle.
    private let bundles = Mutex<[String: CompiledBundle]>([:])

    struct HTTPClientParts: Sendable {
        var transport: (any HTTPTransport)?
        var tokens = TokenCache()
    }

    init(
        context: RunContext, journal: any Journal, registry: ScriptRegistry, activity: ActivityHub,
        http: (any HTTPTransport)?, secrets: SecretFinder, functions: FunctionTable,
        dispatcher: Dispatcher, reminders: ReminderClock, waiters: EndWaiters, logger: Logger,
        onChildrenClosed: @escaping @Sendable (String) -> Void
    ) {
        self.context = context
        self.journal = journal
        self.registry = registry
        self.activity = activity
        self.http = HTTPClientParts(transport: http)
        self.secrets = secrets
        self.functions = functions
        self.logger = logger
        self.dispatcher = dispatcher
        self.reminders = reminders
        self.waiters = waiters
        self.onChildrenClosed = onChildrenClosed
    }

    var now: Timestamp { context.ambient.now }

    private var reader: StoreReader { StoreReader(ambient: context.ambient, logger: logger) }

    /// This host works on a run no longer.
    func released(_ run: RunRecord) {
        waiters.leave(run.id)
        dispatcher.released(run.number)
    }

    /// This host has claimed a run that it had already.
    func takenAgain(_ run: RunRecord) {
        dispatcher.released(run.number)
    }

    // MARK: Taking a run up

    /// The script and the record of a claimed run; while the store can't be read, it is tried again.
    ///
    /// - Throws: what is wrong with the script or the record for good.
    func prepare(_ claimed: ClaimedRun) async throws -> (compiled: CompiledBundle, entries: [Entry]) {
        try await reader.read(while: { ($0 as? JournalError)?.isOfTheDisk ?? false }) {
            (
                try await compiled(claimed.run.bundle, workflow: claimed.run.workflow),
                try await entries(claimed.run)
            )
        }
    }

    /// Every entry of a run, read a part at a time.
    func entries(_ run: RunRecord) async throws -> [Entry] {
        guard run.entryCount > 0 else { return [] }
        var entries: [Entry] = []
        while true {
            let part = try await journal.entries(
                run: run.number, after: entries.last?.sequence ?? 0, limit: 1000)
            entries += part
            guard part.count == 1000 else { return entries }
        }
    }

    private static let maxCachedBundles = 256

    /// A bundle that is in memory.
    func loaded(_ bundle: String) -> CompiledBundle? {
        registry.compiled(bundle: bundle) ?? bundles.withLock { $0[bundle] }
    }

    func compiled(_ bundle: String, workflow: String) async throws -> CompiledBundle {
        if let loaded = loaded(bundle) { return loaded }
        guard let files = try await journal.files(bundle: bundle) else {
            throw ScriptProblem(
                code: "PG2052", message: "The text of the version that this run is on is missing.",
                hint: "Restore the database from a backup.", file: workflow + ".lua")
        }
        let compiled = try CompiledBundle(ScriptBundle(workflow: workflow, files: files))
        bundles.withLock { bundles in
            if bundles.count >= RunServices.maxCachedBundles { bundles.removeAll() }
            bundles[bundle] = compiled
        }
        return compiled
    }

    // MARK: Committing

    /// Commits a batch; while the store can't be written at all, it is tried again: the runs wait, nothing is
    /// lost.
    ///
    /// Cancelling the task ends the trying, never a commit that is under way.
    nonisolated(nonsending) func commit(_ batch: [Commit]) async -> [Result<CommitReceipt, JournalError>] {
        while true {
            do {
                return try await journal.commit(batch)
            } catch {
                logger.error("the database can't be written; trying again in 1 s: \(error)")
                let again = now.adding(milliseconds: StoreReader.retryMilliseconds)
                guard !Task.isCancelled, (try? await context.ambient.sleep(until: again)) != nil else {
                    return batch.map { _ in .failure(.io(path: "the database", detail: "\(error)")) }
                }
            }
        }
    }

    /// Completes the events that a run emits: their ids, and the runs that they start.
    func withStarts(_ commit: Commit) -> Commit {
        guard !commit.emits.isEmpty else { return commit }
        var commit = commit
        commit.emits = commit.emits.map { submission in
            guard var event = submission.event else { return submission }
            event.id = context.ambient.identifier("evt")
            let triggered = registry.triggers.starts(for: event, ambient: context.ambient)
            return Submission(namespace: submission.namespace, event: event, starts: triggered)
        }
        return commit
    }

    /// A commit is durable: tells everybody whom it concerns.
    func committed(_ commit: Commit, _ receipt: CommitReceipt, _ execution: RunExecution?) {
        if receipt.wakesRuns { dispatcher.poke() }
        activity.send(cancelled: receipt.cancelled, to: waiters)
        let dues = commit.opens.compactMap(\.dueAt) + commit.starts.compactMap(\.startAt)
        if let due = dues.min() { dispatcher.note(due: due) }
        for case .approval(let request) in commit.opens.map(\.kind) {
            if let first = request.remindAt.first { reminders.note(due: first) }
        }
        guard let run = execution?.run else { return }
        if receipt.closesChildren { onChildrenClosed(run.id) }
        for annotation in commit.annotations where annotation.kind == .metric {
            let value = annotation.data.flatMap { try? JSON(parsing: $0) }?["value"]?.double ?? 0
            tell(.metric(run: run.id, workflow: run.workflow, name: annotation.text, value: value))
        }
        for entry in commit.entries {
            guard case .waitOpened(let step, let wait, _) = entry.fact else { continue }
            tell(
                .waiting(
                    run: run.id, workflow: run.workflow, step: step.address.label,
                    what: StepPlan.awaited(by: step.verb),
                    approval: Approval.kinds[step.verb] == nil ? nil : wait))
        }
        let milliseconds = commit.at.milliseconds - (run.startedAt ?? run.createdAt).milliseconds
        switch commit.next {
        case .ended(let status, _, let error):
            tell(
                .runEnded(
                    run: run.id, workflow: run.workflow, status: status, milliseconds: milliseconds,
                    error: error))
        case .attention(let error):
            tell(
                .runEnded(
                    run: run.id, workflow: run.workflow, status: .attention, milliseconds: milliseconds,
                    error: error))
        case .running, .waiting, .paused: break
        }
        if case .ended = commit.next { waiters.ended(run) }
        // What became of it, only the store knows: it may have been asked to end.
        if case .attention = commit.next { waiters.stopped(run.id) }
        tell(.runChanged(id: run.id))
    }

    // MARK: Effects

    /// Performs an effect to its end; `nil` if it was cancelled.
    func perform(_ effect: Effect, _ run: RunRecord) async -> EffectEnd? {
        switch effect {
        case .state(let key):
            return try? await EffectEnd(StateValue.read(key, of: run, in: journal, reader))
        case .http(let call):
            return try? await send(call, run)
        case .call(let call):
            let result = await functions.perform(call, ambient: context.ambient)
            return Task.isCancelled ? nil : EffectEnd(result)
        }
    }

    private func send(_ call: HTTPCall, _ run: RunRecord) async throws -> EffectEnd {
        if let refusal = try await WebhookEndpoint.refusal(of: call, run, in: journal, reader) {
            return refusal
        }
        let attempt = HTTPAttempt(
            transport: http.transport, ambient: context.ambient, secrets: secrets, tokens: http.tokens)
        return try await StaleReply.instead(
            of: try await attempt.perform(call), call, run, in: journal, reader)
    }

    // MARK: Telling

    func tell(_ event: HostActivity) {
        activity.send(event)
    }

    func tell(_ run: RunRecord, _ step: Step, _ end: EffectEnd) {
        let label = step.address.label
        for detail in end.attempts {
            tell(.attempt(run: run.id, workflow: run.workflow, step: label, detail: detail))
        }
        guard case .outcome(let outcome, let attempts, let startedAt) = end.result else { return }
        let isFailure = if case .failure = outcome { true } else { false }
        tell(
            .stepCompleted(
                run: run.id, workflow: run.workflow, step: label, verb: step.verb, failed: isFailure,
                attempts: attempts, milliseconds: now.milliseconds - startedAt.milliseconds))
    }
}
