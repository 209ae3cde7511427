import Foundation
public import Logging
public import PerigeeJournal
public import ServiceLifecycle
import Synchronization

/// Runs workflows durably: loads the scripts of a folder, starts runs at events, requests and by hand, and goes on with
/// every run after any crash where it was.
///
/// ```swift
/// let host = WorkflowHost(journal: try SQLiteJournal(path: "perigee.db"), scripts: "scripts")
/// ```
/// It works while ``run()`` runs: as a service of a `ServiceGroup`, or in a task.
public final class WorkflowHost: Service, Sendable {
    let journal: any Journal
    let registry: ScriptRegistry
    let options: HostOptions
    let ambient: any Ambient
    let logger: Logger
    let activityHub = ActivityHub()
    let dispatcher: Dispatcher
    let batchRunner = BatchRunner()
    let intake: Intake
    private let reminders: ReminderClock
    private let http: (any HTTPTransport)?
    private let functions = Mutex(FunctionTable())
    let phase = Mutex(HostPhase())
    let waiters: EndWaiters
    private let scheduler = Scheduler()

    /// Makes a host; it does nothing before ``run()``.
    ///
    /// - Parameters:
    ///   - journal: where everything is kept.
    ///   - scripts: the path of the scripts folder.
    ///   - http: sends what scripts send; `nil` makes their calls fail with a clear error.
    ///   - ambient: time and chance.
    ///   - options: how it behaves.
    ///   - logger: is told what operators should know.
    public init(
        journal: any Journal, scripts: String, http: (any HTTPTransport)? = nil,
        ambient: any Ambient = SystemAmbient(), options: HostOptions = HostOptions(),
        logger: Logger = Logger(label: "perigee")
    ) {
        self.journal = journal
        self.options = options
        self.ambient = ambient
        self.logger = logger
        self.http = http
        waiters = EndWaiters(ambient: ambient)
        registry = ScriptRegistry(
            path: scripts, loader: ScriptLoader(limits: options.limits, settings: options.settings),
            journal: journal,
            namespace: options.namespace, ambient: ambient, activity: activityHub)
        intake = Intake(options: options, logger: logger)
        dispatcher = Dispatcher(journal: journal, options: options, ambient: ambient, logger: logger)
        reminders = ReminderClock(
            journal: journal, registry: registry, options: options, ambient: ambient, activity: activityHub,
            dispatcher: dispatcher, logger: logger)
    }

    /// Registers a function that scripts call by `call(label, name, {…})`.
    ///
    /// It may be called again for the same step after a crash: ``CallContext/idempotencyKey`` tells which step it is.
    ///
    /// - Parameters:
    ///   - name: what scripts call it: `crm.update_deal`.
    ///   - body: the function; what it throws is the step's failure.
    public func register<Input: Decodable & Sendable, Output: Encodable & Sendable>(
        _ name: String, _ body: @escaping @Sendable (Input, CallContext) async throws -> Output
    ) {
        functions.withLock { $0.register(name, body) }
    }

    // MARK: Running

    /// Loads the scripts, takes up the runs in flight, and works until the task is cancelled or the service is to end;
    /// then it claims no more, waits for steps under way, and leaves the rest to the next start.
    ///
    /// - Throws: ``HostError`` if there is no scripts folder, or not the master key of the store's secrets;
    ///   ``JournalError`` if the store fails at the start.
    public func run() async throws {
        guard registry.folderExists else {
            throw HostError(
                code: "PG1017", status: 503, title: "No scripts",
                message: "There is no scripts folder \(registry.path).",
                hint: "Create it, or give another with --scripts.")
        }
        try secretBox.check(try await journal.secrets(namespace: namespace))
        let lost = try await heartbeat()
        try await registry.refresh()
        try await tellRecovered(freed: lost)
        let shards = makeShards(hashSeed: try await journal.hashSeed())
        phase.withLock { $0.shards = shards }
        await withTaskCancellationOrGracefulShutdownHandler {
            await work(shards)
        } onCancelOrGracefulShutdown: {
            self.phase.withLock { $0.isEnding = true }
            self.dispatcher.stop()
        }
        await end(shards)
    }

    private func makeShards(hashSeed: UInt32) -> [Shard] {
        let context = RunContext(
            ambient: ambient, settings: options.settings, limits: options.limits,
            hashSeed: hashSeed, publicURL: options.publicURL,
            findWorkflow: { [registry] in registry.named($0) })
        let services = RunServices(
            context: context, journal: journal, registry: registry, activity: activityHub, http: http,
            secrets: SecretFinder(
                journal: journal, box: secretBox, settings: options.settings, ambient: ambient,
                logger: logger),
            functions: functions.withLock { $0 }, dispatcher: dispatcher, reminders: reminders,
            waiters: waiters, logger: logger,
            onChildrenClosed: { [weak self] id in Task { await self?.tellChildren(of: id) } })
        phase.withLock { $0.services = services }
        let count = max(1, options.shards)
        return (0..<count).map { index in
            Shard(
                index: index, services: services, residentRuns: options.residentRuns / count,
                mostInWork: max(1, options.maxRunsInWork / count))
        }
    }

    private func work(_ shards: [Shard]) async {
        await withTaskGroup { group in
            group.addTask {
                await self.repeatEvery(self.options.leaseMilliseconds / 3) { _ = try await self.heartbeat() }
            }
            group.addTask {
                await self.repeatEvery(self.options.scanMilliseconds) { try await self.reload() }
            }
            group.addTask { await self.batchRunner.run(self) }
            group.addTask { await self.reminders.run() }
            group.addTask { await self.scheduler.run(on: self) }
            group.addTask { await Retention(host: self).run() }
            phase.withLock { $0.becomeReady() }
            await dispatcher.run { self.hand($0.runs, told: $0.told) }
            group.cancelAll()
        }
    }

    /// Gives each shard the runs that are its own.
    func hand(_ runs: [ClaimedRun], told: [ClaimedRun] = []) {
        waiters.begin(runs.map(\.run.id))
        let shards = phase.withLock { $0.shards }
        func index(_ claimed: ClaimedRun) -> Int { Int(claimed.run.number % Int64(shards.count)) }
        let own = Dictionary(grouping: runs, by: index)
        let ownTold = Dictionary(grouping: told, by: index)
        for (index, shard) in shards.enumerated() where own[index] != nil || ownTold[index] != nil {
            shard.hand(own[index] ?? [], told: ownTold[index] ?? [])
        }
    }

    private func repeatEvery(_ milliseconds: Int64, _ body: () async throws -> Void) async {
        while (try? await ambient.sleep(until: ambient.now.adding(milliseconds: milliseconds))) != nil {
            do { try await body() } catch { logger.error("\(error)") }
        }
    }

    private func end(_ shards: [Shard]) async {
        phase.withLock { $0.isReady = false }
        for shard in shards { await shard.leaveLine() }
        let deadline = ContinuousClock.now + .milliseconds(options.drainMilliseconds)
        while dispatcher.activeCount > 0, ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
        }
        // Not cancelled with this task: what is committed must be committed whole.
        await Task {
            for shard in shards { await shard.close() }
            do { try await journal.release(host: options.hostID, now: ambient.now) } catch {
                logger.error("the lease could not be given up: \(error)")
            }
        }.value
        activityHub.finish()
        waiters.finish()
    }

    /// Renews the lease; returns how many runs of hosts that are gone were freed.
    private func heartbeat() async throws -> Int {
        let now = ambient.now
        let heartbeat = try await journal.heartbeat(
            host: options.hostID, now: now, leaseUntil: now.adding(milliseconds: options.leaseMilliseconds))
        if heartbeat.freed > 0 {
            dispatcher.poke()
            reminders.poke()
        }
        return heartbeat.freed
    }

    private func tellRecovered(freed: Int) async throws {
        let waiting = try await journal.runs(
            RunQuery(namespace: options.namespace, statuses: [.waiting, .queued, .running], limit: 500))
        if !waiting.runs.isEmpty { activityHub.send(.recovered(runs: max(waiting.runs.count, freed))) }
    }

    private func reload() async throws {
        let changed = try await registry.refresh()
        // A new limit of `concurrency` may let runs go on that waited in line.
        if !changed.isEmpty { dispatcher.poke() }
        scheduler.scriptsWereRead(registry.triggers)
        guard options.reload == .moveWhenSafe else { return }
        for workflow in changed { try await VersionMover(host: self).move(workflow) }
    }

    func shard(of number: Int64) -> Shard? {
        phase.withLock { phase in
            phase.shards.isEmpty ? nil : phase.shards[Int(number % Int64(phase.shards.count))]
        }
    }

    // MARK: Its state

    /// Whether the scripts are loaded and runs are being taken up.
    public var isReady: Bool { phase.withLock { $0.isReady } }

    /// Returns once the host is ready.
    ///
    /// - Throws: `CancellationError` if the task is cancelled first.
    public func waitUntilReady() async throws {
        await phase.withLock { $0.readiness }.wait()
        try Task.checkCancellation()
    }

    /// The workflows of the scripts folder as they stand, in order of their ids.
    public var workflows: [WorkflowInfo] { registry.workflows }

    /// The tenant whose runs this host works on.
    public var namespace: String { options.namespace }

    /// The largest event or input, in bytes.
    public var maxEventBytes: Int { options.maxEventBytes }

    /// What happens from now on; each caller has a stream of its own.
    public func activity() -> AsyncStream<HostActivity> { activityHub.subscribe() }

    /// Checks that the store can be written.
    ///
    /// - Throws: ``JournalError`` where it can't.
    public func checkWritable() async throws { try await journal.checkWritable() }
}

/// How far a host has come.
struct HostPhase {
    var isReady = false
    var isEnding = false
    var shards: [Shard] = []
    var services: RunServices?
    let readiness = Readiness()

    mutating func becomeReady() {
        isReady = true
        readiness.open()
    }
}

/// Lets everybody through once it is open.
final class Readiness: Sendable {
    private struct State {
        var isOpen = false
        var next = 0
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting.removeAll() }
            return Array(state.waiting.values)
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns when it is open, or when the task is cancelled.
    func wait() async {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let goesOn = state.withLock { state in
                    if state.isOpen || Task.isCancelled { return true }
                    state.waiting[id] = continuation
                    return false
                }
                if goesOn { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }
}

/// The error of a run that was cancelled.
enum Cancelled {
    static func error(by: String, reason: String?) -> ScriptError {
        ScriptError(
            code: "PG2060", kind: "cancelled",
            message: "Cancelled by \(by)" + (reason.map { ": \($0)" } ?? "."),
            hint: "Start the workflow again if it is needed after all.", fields: ["by": .string(by)])
    }

    static func timedOut(_ run: RunRecord) -> ScriptError {
        let started = run.startedAt ?? run.createdAt
        let length = DurationText.text(
            milliseconds: (run.deadlineAt ?? started).milliseconds - started.milliseconds)
        return ScriptError(
            code: "PG2061", kind: "timeout",
            message: "The run took longer than the \(length) that it may take.",
            hint: "Give the workflow a longer `timeout`, or look for what it waited for.")
    }
}
