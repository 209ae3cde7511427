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
    private let state: LuaState
    private let compiled: CompiledBundle
    private var hasBegun = false
    /// Performs the effect that is under way.
    var effect: Task<Void, Never>?
    /// Whether a commit is on its way that the run waits for.
    var isCommitting = false
    /// Why the run is to be cancelled, once that is possible.
    var cancellation: Payload?
    let startedAt: Timestamp

    var machine: RunMachine {
        get { host.machine }
        set { host.machine = newValue }
    }

    var run: RunRecord { host.machine.run }

    init(machine: RunMachine, compiled: CompiledBundle, context: RunContext) throws {
        host = RunHost(
            machine: machine, compiled: compiled, settings: context.settings, ambient: context.ambient)
        self.compiled = compiled
        startedAt = context.ambient.now
        var seed = SeededRandom(run: machine.run.id + "/math.random")
        state = try LuaState(
            limits: context.limits, functions: HostFunction.names, host: host, seed: seed.next())
        try state.runPrelude(compiled.prelude)
    }

    /// Runs the script for a slice.
    ///
    /// - Parameter reply: the outcome of the step that it waits for; `nil` at the start and after a slice.
    func advance(_ reply: Outcome?, at now: () -> Timestamp) -> Progress {
        guard hasBegun else { return begin(at: now) }
        return settle(state.advance(reply.map(LuaReply.init)), at: now)
    }

    private func begin(at now: () -> Timestamp) -> Progress {
        var step = state.evaluate(compiled.script)
        while case .preempted = step { step = state.advance(nil) }
        if case .returned = step {
            do { try state.begin("run", argument: machine.run.input) } catch {
                return settle(.failed(error), at: now)
            }
            hasBegun = true
            step = state.advance(nil)
        }
        return settle(step, at: now)
    }

    private func settle(_ step: LuaStep, at now: () -> Timestamp) -> Progress {
        if case .preempted = step, host.divergence == nil { return .preempted }
        if let divergence = host.divergence ?? divergenceAtEnd(step) {
            machine.end(error: RunHost.diverged(divergence).json, at: divergence.step)
            return .action(machine.suspended(at: now()))
        }
        switch step {
        case .suspended, .preempted: break
        case .returned(let value): machine.end(.completed, output: value ?? JSON.null.bytes, error: nil)
        case .failed(let failure): fail(failure)
        case .ended(let limit): machine.end(error: describe(limit).json, at: nil)
        }
        return .action(machine.suspended(at: now()))
    }

    /// A script that ends while steps of its record are still to come went another way.
    private func divergenceAtEnd(_ step: LuaStep) -> Divergence? {
        guard machine.isReplaying, case .returned = step else { return nil }
        return Divergence(step: nil, kind: .ended(machine.nextRecorded))
    }

    private func fail(_ failure: LuaFailure) {
        let error = FailureReport(failure, files: compiled.bundle.files, lookUp: state.lookUp).json
        if error["kind"]?.string == "failed" {
            machine.end(.failed, output: nil, error: error.bytes)
        } else {
            machine.end(error: error, at: nil)
        }
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
    var publicURL: String
}

extension LuaReply {
    init(_ outcome: Outcome) {
        switch outcome {
        case .success(let value): self = .value(value)
        case .failure(let error): self = .failure(error)
        }
    }
}
