import Foundation
import Logging
import PerigeeJournal
import PerigeeLua
import PerigeeTesting

@testable import Perigee

/// A workflow that is simulated.
struct Simulated: Sendable {
    let compiled: CompiledBundle
    let target: TriggerIndex.Target

    init(_ name: String, script: String) throws {
        var files = Stdlib.files
        files[name + ".lua"] = script
        let bundle = ScriptBundle(workflow: name, files: files)
        compiled = try CompiledBundle(bundle)
        let version = WorkflowVersion(
            namespace: "main", workflow: name, number: 1, bundle: "b",
            createdAt: Timestamp(milliseconds: 1_790_000_000_000))
        target = TriggerIndex.Target(
            version: version, definition: try WorkflowDefinition(.object([:]), bundle: bundle))
    }
}

/// A host whose every choice comes from a seed: the engine's own executions and journal, with the order of answers,
/// the clock and the crashes decided here instead of by threads.
final class SimulatedHost {
    /// What the receiver of limited calls takes.
    enum Limits {
        static let host = "limited.example"
        static let perPeriod = 3
        /// In milliseconds.
        static let period = 60_000
        static let atOnce = 2
    }

    /// What the world saw.
    struct World {
        /// How often each call was sent, by its idempotency key, with the address.
        var calls: [String: (count: Int, url: String)] = [:]
        /// When the limited ones came.
        var limitedCalls: [Timestamp] = []
        /// How often those began that are sent once, and how often somebody said that they are sent again, by the run
        /// and the step.
        var onceCalls: [String: Int] = [:]
        var onceAllowed: [String: Int] = [:]
        var violations: [String] = []
    }

    private struct Pending {
        var run: Int64
        var epoch: Int64
        var start: RunMachine.Start
        var since: Timestamp

        var call: HTTPCall? { if case .http(let call) = start.effect { call } else { nil } }
    }

    let journal: any Journal
    let context: RunContext
    let programs: [String: Simulated]
    var random: SeededGenerator
    /// How many of a hundred commits fail, before or after they are durable.
    private let faults: Int
    private var life = 0
    private var executions: [Int64: RunExecution] = [:]
    private var pending: [Pending] = []
    private var events = 0
    /// When there is something to claim next, as the last claim said.
    private var nextDue: Timestamp?
    private(set) var now = Timestamp(milliseconds: 1_790_000_000_000)
    var world = World()
    /// What happened, for the message of a failure.
    private(set) var trace: [String] = []

    init(
        journal: any Journal, programs: [String: Simulated], random: SeededGenerator, faults: Int
    ) {
        self.journal = journal
        self.programs = programs
        self.random = random
        self.faults = faults
        context = RunContext(
            ambient: ManualClock(), settings: Settings(secret: { _ in nil }, config: { _ in nil }),
            limits: LuaLimits(), hashSeed: 0, publicURL: "http://localhost",
            findWorkflow: {
                programs[$0].map { .success($0.target) } ?? .failure(Child.unknown($0, near: nil))
            })
    }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    func say(_ text: String) {
        trace.append(text)
        if trace.count > 400 { trace.removeFirst(200) }
    }

    private var hostID: String { "host-\(life)" }

    // MARK: The world of the test

    /// Lets everything happen, in any order, until no run can go on any more.
    ///
    /// - Returns: whether all runs have ended or need attention; otherwise something is stuck.
    func runToEnd(maxSteps: Int) async throws -> Bool {
        try await beat()
        for _ in 0..<maxSteps {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<45 where !pending.isEmpty: try await answer()
            case 45..<60: try await claim()
            case 60..<63 where faults > 0: try await crash()
            case 63..<68: evict()
            case 68..<85: try await decideOrTell()
            case 85..<88: try await pauseOrResume()
            case 88..<91: try await settleOne()
            default:
                if try await isDone() { return true }
                if pending.isEmpty { try await passTime() } else if chance(20) { passSomeTime() }
            }
        }
        return try await isDone()
    }

    private func isDone() async throws -> Bool {
        let open = try await journal.runs(
            RunQuery(namespace: "main", statuses: [.queued, .running, .waiting, .paused], limit: 1))
        guard open.runs.isEmpty else { return false }
        return try await inDoubt().isEmpty
    }

    private func beat() async throws {
        _ = try await journal.heartbeat(host: hostID, now: now, leaseUntil: now.adding(milliseconds: 1 << 40))
    }

    /// The process is gone with all that it had in memory; what was on its way may still arrive.
    private func crash() async throws {
        say("crash")
        let zombies = executions
        executions = [:]
        pending = []
        life += 1
        try await beat()
        try await journal.release(host: "host-\(life - 1)", now: now)
        // A commit of the old process that comes late has to be refused.
        guard chance(50), let zombie = zombies.values.min(by: { $0.run.number < $1.run.number }) else {
            return
        }
        let late = Commit(run: zombie.run.number, epoch: zombie.machine.epoch, at: now, next: .waiting)
        if case .success? = try await journal.commit([late]).first {
            world.violations.append("a commit of a host that is gone was taken")
        }
    }

    private func passTime() async throws {
        let runs = try await journal.runs(
            RunQuery(namespace: "main", statuses: [.waiting, .running], limit: 500))
        let due = (runs.runs.flatMap(\.waits).compactMap(\.dueAt) + [nextDue].compactMap(\.self)).min()
        now = max(now.adding(milliseconds: 1), chance(80) ? due ?? now : now.adding(milliseconds: 1000))
        say("time \(now.milliseconds % 100_000_000)")
        try await claim()
    }

    /// Calls take their time, but no longer than they may.
    private func passSomeTime() {
        let end = pending.map(\.since).min()?.adding(milliseconds: HTTPCall.defaultTimeout)
        let later = now.adding(milliseconds: Int64.random(in: 1...5000, using: &random))
        if let end, later < end { now = later }
    }

    /// An event comes, or somebody decides.
    private func decideOrTell() async throws {
        let runs = try await journal.runs(
            RunQuery(namespace: "main", statuses: [.waiting, .running], limit: 500))
        guard let wait = runs.runs.flatMap(\.waits).filter(\.isForPeople).randomElement(using: &random) else {
            return
        }
        switch wait.kind {
        case .approval:
            let decision = decision(on: wait)
            say("decide \(wait.id) \(decision.outcome)")
            _ = try await journal.decide(approval: wait.id, decision)
        case .event(let type, _):
            events += 1
            let id = Int(type.dropFirst()) ?? 0
            let event = EventRecord(
                id: "evt_\(events)", namespace: "main", source: "test", sourceID: "\(events)", type: type,
                data: JSON.object(["n": .int(Int64(id.answer))]).bytes, at: now)
            say("tell \(type)")
            _ = try await journal.submit([Submission(namespace: "main", event: event, starts: [])], now: now)
        default: break
        }
    }

    private func decision(on wait: Wait) -> Decision {
        let id = Int(wait.address.label.split(separator: " ").last ?? "") ?? 0
        let answer = JSON.object(["n": .int(Int64(id.answer))]).bytes
        guard case .approval(let request) = wait.kind else {
            return Decision(outcome: "", by: "boss", at: now)
        }
        switch request.kind {
        case .approval:
            return Decision(outcome: id.isMultiple(of: 2) ? "approve" : "reject", by: "boss", at: now)
        case .form: return Decision(outcome: "submit", by: "boss", at: now, form: answer)
        case .park where id.isMultiple(of: 2):
            return Decision(outcome: "retry", by: "boss", at: now, data: answer)
        case .park: return Decision(outcome: "discard", by: "boss", at: now)
        }
    }

    /// Somebody pauses a run, or lets one go on.
    private func pauseOrResume() async throws {
        let runs = try await journal.runs(
            RunQuery(namespace: "main", statuses: [.queued, .waiting, .running, .paused], limit: 500))
        guard let run = runs.runs.randomElement(using: &random), run.status == .paused || chance(40) else {
            return
        }
        let action = run.status == .paused ? RunAction.resume : .pause
        say("\(action) \(run.id)")
        _ = try? await journal.act(
            on: run.id, action, note: ActionNote(by: "ana", action: "\(action)"), now: now)
    }

    // MARK: The host

    private func claim() async throws {
        let claim = try await journal.claim(
            host: hostID, namespace: "main", now: now, limit: Int.random(in: 1...4, using: &random), only: nil
        )
        nextDue = claim.nextDue
        let before = life
        for claimed in claim.runs where life == before { try await take(claimed) }
        for claimed in claim.told where life == before {
            guard let execution = executions[claimed.run.number],
                execution.machine.epoch == claimed.run.epoch
            else { continue }
            execution.machine.take(claimed)
            ask(execution, claimed)
            try await advance(execution)
        }
    }

    private func ask(_ execution: RunExecution, _ claimed: ClaimedRun) {
        if let error = claimed.run.cancelRequest {
            execution.machine.receive(.endRequested(.cancelled, error: error))
        } else if claimed.run.pausedAt != nil {
            execution.machine.receive(.pauseRequested)
        }
    }

    private func take(_ claimed: ClaimedRun) async throws {
        say("take \(claimed.run.id) epoch \(claimed.run.epoch)")
        guard let compiled = programs[claimed.run.workflow]?.compiled else { return }
        let execution: RunExecution
        if let resident = executions.removeValue(forKey: claimed.run.number),
            resident.machine.epoch == claimed.run.epoch - 1
        {
            execution = resident
            execution.machine.take(claimed)
        } else {
            var entries: [Entry] = []
            repeat {
                let part = try await journal.entries(
                    run: claimed.run.number, after: entries.last?.sequence ?? 0, limit: 500)
                entries += part
                if part.isEmpty { break }
            } while true
            execution = try RunExecution(
                machine: RunMachine(claimed, entries: entries, publicURL: "http://localhost"),
                compiled: compiled,
                context: context)
        }
        ask(execution, claimed)
        executions[claimed.run.number] = execution
        try await advance(execution)
    }

    private func advance(_ execution: RunExecution) async throws {
        var progress = execution.advance(at: { self.now })
        while case .preempted = progress { progress = execution.advance(at: { self.now }) }
        let dropped = execution.machine.takeDroppedEffects()
        pending.removeAll { $0.run == execution.run.number && dropped.contains($0.start.token) }
        guard case .action(let action) = progress else { return }
        try await perform(action, execution)
    }

    private func perform(_ action: RunMachine.Action, _ execution: RunExecution) async throws {
        switch action {
        case .commit(let commit): try await self.commit(commit, execution)
        case .perform(let starts):
            pending += starts.map {
                Pending(run: execution.run.number, epoch: execution.machine.epoch, start: $0, since: now)
            }
            checkBegun(starts, of: execution.run.id)
        case .release:
            pending.removeAll { $0.run == execution.run.number }
            if chance(50) { executions[execution.run.number] = nil }
        case .rest: break
        }
    }

    private func commit(_ commit: Commit, _ execution: RunExecution) async throws {
        let fails = chance(faults)
        let isKept = !fails || chance(50)
        if isKept {
            var commit = commit
            commit.emits = commit.emits.map { submission in
                events += 1
                var submission = submission
                submission.event?.id = "evt_\(events)"
                return submission
            }
            if case .failure(let error)? = try await journal.commit([commit]).first {
                world.violations.append("a commit was refused: \(error)")
                return
            }
        }
        say("commit \(execution.run.id) \(commit.entries.map(\.sequence)) \(fails ? "fails \(isKept)" : "")")
        guard !fails else { return try await crash() }
        try await perform(execution.machine.committed(commit), execution)
        // Only a run that waits, or goes on, may stay in memory.
        if commit.next != .running, commit.next != .waiting { executions[execution.run.number] = nil }
        if executions[execution.run.number] === execution, execution.machine.hasInput, commit.next == .running
        {
            try await advance(execution)
        }
    }

    /// A waiting run leaves memory.
    private func evict() {
        let idle = executions.filter { run in !pending.contains { $0.run == run.key } }
        // One that works on something is not let go of by its host, only by a crash.
        guard let number = idle.keys.sorted().randomElement(using: &random) else { return }
        say("evict \(number)")
        executions[number] = nil
    }

    /// One of the calls under way, whichever, comes to its end.
    private func answer() async throws {
        let place = Int.random(in: pending.indices, using: &random)
        let effect = pending.remove(at: place)
        guard let result = try await outcome(of: effect) else { return }
        // The answer is lost on its way, with the process.
        if faults > 0, chance(2) { return try await crash() }
        guard let execution = executions[effect.run], execution.machine.epoch == effect.epoch else { return }
        say("answer \(execution.run.id) \(effect.start.step.address)")
        execution.machine.receive(.effectEnded(token: effect.start.token, EffectEnd(result)))
        try await advance(execution)
    }

    private func outcome(of effect: Pending) async throws -> EffectResult? {
        if case .state(let key) = effect.start.effect {
            guard let run = executions[effect.run]?.run else { return nil }
            let reader = StoreReader(ambient: context.ambient, logger: Logger(label: "test"))
            return try await StateValue.read(key, of: run, in: journal, reader)
        }
        guard let call = effect.call else {
            return .outcome(.success(JSON.bool(true).bytes), attempts: 1, startedAt: now)
        }
        let request = try call.request(attempt: 1, secrets: [:], now: now)
        let url = URLComponents(string: request.url)?.path ?? ""
        let key = request.headers.first { $0.name == "Idempotency-Key" }?.value ?? "none"
        let seen = world.calls[key]
        if let seen, seen.url != url { world.violations.append("\(key) stands for \(seen.url) and \(url)") }
        world.calls[key] = ((seen?.count ?? 0) + 1, url)
        if call.gate != nil { takeLimitedCall() }
        if !call.isOnce, call.made < 3, chance(15) {
            let next = now.adding(milliseconds: Int64.random(in: 0...3_600_000, using: &random))
            return .again(at: next, attempts: call.made + 1, startedAt: call.since ?? now)
        }
        let id = url.split(separator: "/").last.flatMap { Int($0) } ?? 0
        let isRefused = url.hasPrefix("/refused")
        let reply = HTTPReply(
            status: isRefused ? 422 : 200, headers: [("Content-Type", "application/json")],
            body: Array("{\"n\":\(id.answer)}".utf8))
        guard isRefused else {
            return .outcome(
                .success(HTTPAttempt.value(reply, attempts: 1).bytes), attempts: 1, startedAt: now)
        }
        let error = ScriptError(
            code: "PG2014", kind: "http", message: "refused", hint: "",
            fields: ["response": HTTPAttempt.value(reply, attempts: nil)])
        return .outcome(.failure(error.bytes), attempts: 1, startedAt: now)
    }
}

// MARK: What the receivers of calls hold to be right

extension SimulatedHost {
    private func checkBegun(_ starts: [RunMachine.Start], of run: String) {
        let underWay = pending.count { $0.call?.gate != nil }
        if underWay > Limits.atOnce { world.violations.append("\(underWay) limited calls are under way") }
        for start in starts {
            guard case .http(let call) = start.effect, call.isOnce else { continue }
            let step = "\(run) \(start.step.address)"
            world.onceCalls[step, default: 0] += 1
            guard world.onceCalls[step, default: 0] > 1 + world.onceAllowed[step, default: 0] else {
                continue
            }
            world.violations.append("\(step) was sent again, and nobody said so")
        }
    }

    private func takeLimitedCall() {
        world.limitedCalls.append(now)
        let recent = world.limitedCalls.count { $0.adding(milliseconds: Int64(Limits.period)) > now }
        if recent > Limits.perPeriod { world.violations.append("\(recent) limited calls came in one period") }
    }
}

extension Wait {
    /// Whether the test itself answers it.
    fileprivate var isForPeople: Bool {
        switch kind {
        case .approval: true
        case .event(let type, _): type.hasPrefix("e")
        default: false
        }
    }
}
