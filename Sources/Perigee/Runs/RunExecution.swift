import PerigeeJournal
import PerigeeLua

/// A run in memory: its Lua state, and the machine that decides.
///
/// A shard owns it.
final class RunExecution {
    /// What happened to the script in one slice.
    enum Progress {
        /// It has more to do; others come first.
        case preempted
        case action(RunMachine.Action)
    }

    private let host: RunHost
    /// Given up with the decision to end: what comes next finds its memory warm.
    private var state: LuaState?
    private let compiled: CompiledBundle
    /// Whether the script's main chunk has been run.
    private let isLoaded: Bool
    private var hasBegun = false
    /// What the end of the hook that runs comes to.
    private var hookEnd: (next: Commit.Next, hook: String)?
    /// Perform the effects that are under way, by token.
    var effects: [Int: (step: Step, task: Task<Void, Never>)] = [:]
    /// Whether a commit is on its way that the run waits for.
    var isCommitting = false
    /// Whether a time slice has ended and the next one is to come.
    private(set) var isPreempted = false
    /// Where the script and the record parted, if they did.
    private(set) var divergence: Divergence?
    /// The end before which a hook runs, if one does.
    var decided: Commit.Next? { hookEnd?.next }

    // In place: a copy of the machine's collections for every change would cost more than the change.
    var machine: RunMachine {
        _read { yield host.machine }
        _modify { yield &host.machine }
    }

    var run: RunRecord { host.machine.run }

    init(machine: RunMachine, compiled: CompiledBundle, context: RunContext) throws {
        host = RunHost(machine: machine, compiled: compiled, context: context)
        self.compiled = compiled
        var random = SeededRandom(run: machine.run.seed + "/math.random")
        let seed = random.next()
        let (limits, hashSeed) = (context.limits, context.hashSeed)
        if let image = compiled.startingState.image(of: compiled, limits: limits, hashSeed: hashSeed) {
            isLoaded = true
            state = try LuaState(copying: image, limits: limits, host: host, seed: seed)
            return
        }
        isLoaded = false
        state = try compiled.makeState(host, limits: limits, seed: seed, hashSeed: hashSeed)
    }

    /// Runs the script, branch after branch, until all have come to a stop or the slice is over.
    func advance(at now: () -> Timestamp) -> Progress {
        guard let state else { return .action(.rest) }
        let progress = advance(state, at: now)
        if case .action(.commit(let commit)) = progress, case .ended = commit.next { self.state = nil }
        return progress
    }

    private func advance(_ state: LuaState, at now: () -> Timestamp) -> Progress {
        if !hasBegun, let progress = begin(state, at: now) { return progress }
        var step = isPreempted ? state.advance(nil, branch: machine.current) : nil
        isPreempted = false
        while true {
            if let step, let progress = settle(step, at: now) { return progress }
            if let (branch, delivery) = machine.nextReady() {
                step = state.advance(LuaReply(delivery), branch: branch)
                continue
            }
            step = nil
            if let end = machine.decided, beginHook(before: end) { continue }
            switch machine.settle(at: now()) {
            case .advance: continue
            case .act(let action): return .action(action)
            case .diverged(let divergence): return diverged(divergence, at: now)
            }
        }
    }

    /// Loads the script where that is still to do; `nil` if it can run.
    private func begin(_ state: LuaState, at now: () -> Timestamp) -> Progress? {
        hasBegun = true
        var step = isLoaded ? LuaStep.returned(nil) : state.evaluate(compiled.script)
        while case .preempted = step { step = state.advance(nil) }
        if case .returned = step {
            do {
                try state.begin("run", argument: machine.run.input)
                return nil
            } catch {
                step = .failed(error)
            }
        }
        return settle(step, at: now) ?? .action(commitEnd(at: now))
    }

    /// What a branch came to; `nil` if others, or the machine, come next.
    private func settle(_ step: LuaStep, at now: () -> Timestamp) -> Progress? {
        if case .preempted = step, host.divergence == nil {
            isPreempted = true
            return .preempted
        }
        if let divergence = host.divergence { return diverged(divergence, at: now) }
        switch step {
        case .suspended, .preempted: break
        case .returned where machine.current != 0: machine.branchEnded()
        case .returned(let value):
            if machine.isReplaying {
                return diverged(Divergence(step: nil, kind: .ended(machine.nextRecorded)), at: now)
            }
            finish(.ended(.completed, output: value ?? JSON.null.bytes, error: nil))
        case .failed(let failure): fail(failure)
        case .ended(let limit): machine.attention(describe(limit).json, at: nil)
        }
        return nil
    }

    private func diverged(_ divergence: Divergence, at now: () -> Timestamp) -> Progress {
        self.divergence = divergence
        machine.attention(RunHost.diverged(divergence).json, at: divergence.step)
        return .action(commitEnd(at: now))
    }

    /// The last commit of an end that was decided.
    private func commitEnd(at now: () -> Timestamp) -> RunMachine.Action {
        guard case .act(let action) = machine.settle(at: now()) else { return .rest }
        return action
    }

    private func fail(_ failure: LuaFailure) {
        let report = FailureReport(failure, files: compiled.bundle.files) { self.state?.lookUp($0, $1) }
        let error = report.json
        if let ending = machine.ending, hookEnd == nil {
            finish(.ended(ending.status, output: nil, error: ending.error))
        } else if error["kind"]?.string == "failed" {
            finish(.ended(.failed, output: nil, error: error.bytes))
        } else {
            finish(.attention(error: error.bytes))
        }
    }

    /// The main line, or the hook after it, has come to its end.
    private func finish(_ end: Commit.Next) {
        guard let (decided, hook) = hookEnd else { return machine.end(end) }
        // A hook that fails changes nothing about how the run ended, and is shown with it.
        switch end {
        case .ended(.completed, _, _), .running, .waiting, .paused: machine.end(decided)
        case .ended(_, _, let error?), .attention(let error): machine.end(decided.noting(error, of: hook))
        case .ended(_, _, nil): machine.end(decided)
        }
    }

    /// Runs `on_cancel` or `on_failure` before the end, if the workflow has it.
    ///
    /// - Returns: whether a hook has begun.
    private func beginHook(before end: Commit.Next) -> Bool {
        guard hookEnd == nil, let (hook, error) = end.hook else { return false }
        let argument: JSON = ["input": (try? JSON(parsing: machine.run.input)) ?? .null, "error": error]
        guard (try? state?.begin(hook, argument: argument.bytes)) != nil else { return false }
        hookEnd = (end, hook)
        machine.beginHook(hook)
        return true
    }

    private func describe(_ limit: LuaLimit) -> ScriptError {
        let function = limit.function.isEmpty ? "" : ", in `\(limit.function)`"
        let place = (limit.line > 0 ? " at \(limit.script):\(limit.line)" : "") + function
        var fields: [String: JSON] = ["script": .string(limit.script), "line": .int(Int64(limit.line))]
        let text = compiled.bundle.files[limit.script] ?? ""
        if let place = SourcePlace(line: limit.line, word: limit.function, text: text) {
            fields["excerpt"] = .string(place.excerpt)
        }
        switch limit.kind {
        case .cpu:
            return ScriptError(
                code: "PG1030", kind: "limit",
                message: "The script computed for too long without a step\(place).",
                hint: "Look for a loop that does not end; put steps between long pieces of work.",
                fields: fields)
        case .memory:
            return ScriptError(
                code: "PG1031", kind: "limit",
                message: "The script needs more memory than a run may have\(place).",
                hint: "Keep less at a time; drop what is no longer needed.", fields: fields)
        }
    }
}

/// What every run of a host shares.
struct RunContext: Sendable {
    var ambient: any Ambient
    var settings: Settings
    var limits: LuaLimits
    /// Of the places of strings in the tables of scripts: the store's, so that each replay has the same.
    var hashSeed: UInt32
    var publicURL: String
    var findWorkflow: @Sendable (String) -> NamedWorkflow
}

extension Commit.Next {
    /// The hook that runs before this end, and the error that it is given.
    fileprivate var hook: (name: String, error: JSON)? {
        switch self {
        case .ended(.cancelled, _, let error?), .ended(.timed_out, _, let error?):
            ("on_cancel", (try? JSON(parsing: error)) ?? .null)
        case .ended(.failed, _, let error?), .attention(let error):
            ("on_failure", (try? JSON(parsing: error)) ?? .null)
        default: nil
        }
    }

    /// The same end, with the error of a hook that failed.
    fileprivate func noting(_ error: Payload, of hook: String) -> Commit.Next {
        func noted(_ own: Payload?) -> Payload {
            var fields = own.flatMap { try? JSON(parsing: $0) }?.object ?? [:]
            fields[hook] = (try? JSON(parsing: error)) ?? .null
            return JSON.object(fields).bytes
        }
        switch self {
        case .attention(let own): return .attention(error: noted(own))
        case .ended(let status, let output, let own): return .ended(status, output: output, error: noted(own))
        case .running, .waiting, .paused: return self
        }
    }
}

extension LuaReply {
    /// What a branch is given when it goes on.
    init?(_ delivery: Branch.Delivery) {
        switch delivery {
        case .start: return nil
        case .outcome(let outcome): self.init(outcome)
        case .cancellation(let error): self = .cancellation(error)
        }
    }

    init(_ outcome: Outcome) {
        switch outcome {
        case .success(let value): self = .value(value)
        case .failure(let error): self = .failure(error)
        }
    }
}
