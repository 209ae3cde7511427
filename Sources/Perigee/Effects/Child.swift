import Crypto
import PerigeeJournal

/// The workflow that a script names, as it stands now, or why there is none.
typealias NamedWorkflow = Result<TriggerIndex.Target, ScriptError>

/// A run that another one starts, by `flow.start` or `flow.call`.
struct ChildStart: Sendable {
    enum Awaited: Sendable {
        case nothing
        /// The id of the run, which is an earlier one's where the key names that.
        case id
        case end(dueAt: Timestamp?)
    }

    var start: RunStart
    var parent: RunParent
    var correlationID: String
    var startAt: Timestamp?
    var awaited: Awaited

    /// The run; its id is made when its place in the record is known.
    func run(id: String) -> NewRun {
        var run = start.newRun(id: id, correlationID: correlationID)
        run.parent = parent
        run.startAt = startAt
        return run
    }
}

/// `flow.start(label, workflow, input, { after, key })` and `flow.call(label, workflow, input, { timeout })`.
enum Child {
    /// How many parents a run may have above it.
    static let maxDepth = 50

    static func plan(
        _ arguments: JSON, step: Step, run: RunRecord, target: NamedWorkflow?, now: Timestamp
    ) -> StepPlan {
        .child(
            Result { () throws(ScriptError) in
                guard let target = try target?.get() else {
                    throw unknown(arguments["workflow"]?.string ?? "", near: nil)
                }
                return try start(arguments, step: step, run: run, target: target, now: now)
            })
    }

    private static func start(
        _ arguments: JSON, step: Step, run: RunRecord, target: TriggerIndex.Target, now: Timestamp
    ) throws(ScriptError) -> ChildStart {
        let depth = (run.parent?.depth ?? 0) + 1
        guard depth <= maxDepth else { throw tooDeep(step) }
        let trigger: JSON = [
            "type": "run", "run": .string(run.id), "workflow": .string(run.workflow),
            "step": .string(step.address.label),
        ]
        let start = RunStart(
            target: target, input: arguments["input"] ?? .object([:]), trigger: trigger,
            key: arguments["key"]?.string)
        guard start.faults.isEmpty else { throw unfit(start.faults, target, step.verb) }
        let policy = arguments["on_parent_end"]?.string.flatMap(ParentEndPolicy.init) ?? .cancel
        var child = ChildStart(
            start: start,
            parent: RunParent(run: run.id, step: step.address, onEnd: policy, depth: depth),
            correlationID: run.correlationID,
            startAt: arguments["after_milliseconds"]?.int.map { now.adding(milliseconds: $0) },
            awaited: start.key == nil ? .nothing : .id)
        if step.verb == "flow.call" {
            let isOwnKey = target.version.workflow == run.workflow && start.key != nil && start.key == run.key
            if isOwnKey, target.definition.onConflict == .queue { throw ownKey(step.address.label, run.id) }
            let due = arguments["timeout_milliseconds"]?.int.map { now.adding(milliseconds: $0) }
            child.awaited = .end(dueAt: due)
        }
        return child
    }

    static func unknown(_ workflow: String, near: String?) -> ScriptError {
        ScriptError(
            code: "PG1130", kind: "not_found", message: "There is no workflow \"\(workflow)\".",
            hint: near.map { "Did you mean \"\($0)\"?" }
                ?? "A workflow is a file of the scripts folder; its id is the file's name without `.lua`.")
    }

    private static func tooDeep(_ step: Step) -> ScriptError {
        ScriptError(
            code: "PG2131", kind: "limit",
            message:
                "\"\(step.address.label)\": this run has \(maxDepth) runs above it, the most that there may be.",
            hint: "Look for a workflow that starts itself; flow.continue goes on without nesting.")
    }

    static func unfit(_ faults: [InputFault], _ target: TriggerIndex.Target, _ verb: String) -> ScriptError {
        let report = RunStart.error(faults)
        return ScriptError(
            code: "PG1131", kind: "validation",
            message: "\(verb): what \"\(target.version.workflow)\" is given is wrong. \(report.message)",
            hint: "Compare the fields with the `input` that it declares.", fields: report.fields)
    }

    /// The id of a run that starts at this place of its parent's record: the same whenever that place is recorded
    /// again.
    static func id(parent: String, sequence: Int, at now: Timestamp) -> String {
        let digest = SHA256.hash(data: Array("perigee run \(parent) \(sequence)".utf8))
        let bits = digest.prefix(16).map(UInt64.init)
        let high = bits[..<8].reduce(0) { $0 << 8 | $1 }
        let low = bits[8...].reduce(0) { $0 << 8 | $1 }
        return Identifier.text("run", at: now, high: high, low: low)
    }

    // MARK: Its end

    /// What `flow.call` gives: the result of the run, or why there is none; and `flow.start`: its id.
    static func outcome(_ answer: WaitAnswer, verb: String) -> Outcome {
        let label = answer.address.label
        if let taken = answer.payload.flatMap({ KeyTaken($0) }) {
            return .failure(refusal(taken, label).bytes)
        }
        if verb == "flow.start" { return .success(answer.payload ?? JSON.null.bytes) }
        guard let end = answer.payload.flatMap({ ChildEnd($0) }) else {
            return .failure(
                ScriptError(
                    code: "PG2134", kind: "timeout", message: "\"\(label)\" did not end in time.",
                    hint:
                        "The run that it started goes on; give it a longer `timeout`, or catch this by try.",
                    fields: ["step": .string(label)]
                ).bytes)
        }
        if end.status == .completed { return .success(end.output ?? JSON.null.bytes) }
        guard end.status.isFinal else { return .failure(ownKey(label, end.run).bytes) }
        return .failure(failure(end, label).bytes)
    }

    private static func ownKey(_ label: String, _ run: String) -> ScriptError {
        ScriptError(
            code: "PG2135", kind: "conflict",
            message: "\"\(label)\" would wait for its own run: the key is that of \(run).",
            hint: "Give it another key.", fields: ["child": .string(run), "step": .string(label)])
    }

    private static func refusal(_ taken: KeyTaken, _ label: String) -> ScriptError {
        ScriptError(
            code: "PG2136", kind: "conflict", message: "\"\(label)\" started nothing. \(taken.sentence)",
            hint: "The workflow has on_conflict = \"reject\"; give another key, or catch this by try.",
            fields: ["child": .string(taken.run), "step": .string(label)])
    }

    private static func failure(_ end: ChildEnd, _ label: String) -> ScriptError {
        let cause = end.error.flatMap { try? JSON(parsing: $0) }
        let output = end.output.flatMap { try? JSON(parsing: $0) }
        let why = cause?["message"]?.string ?? output?["reason"]?.string
        let kind =
            switch end.status {
            case .failed: "failed"
            case .timed_out: "timeout"
            case .stopped: "stopped"
            default: "cancelled"
            }
        var fields: [String: JSON] = [
            "child": .string(end.run), "status": .string(end.status.rawValue), "step": .string(label),
            "retryable": false,
        ]
        fields["cause"] = cause
        return ScriptError(
            code: "PG2133", kind: kind,
            message: "\"\(label)\" is \(end.status.rawValue)" + (why.map { ": \($0)" } ?? "."),
            hint: "Look at the run \(end.run); try(flow.call, …) lets a script go on without it.",
            fields: fields)
    }
}

extension ScriptRegistry {
    /// The workflow that a script names.
    func named(_ workflow: String) -> NamedWorkflow {
        if let target = target(workflow) { return .success(target) }
        let known = workflows
        if let problem = known.first(where: { $0.id == workflow })?.error {
            return .failure(
                ScriptError(
                    code: "PG1130", kind: "not_found",
                    message: "The workflow \"\(workflow)\" can't be loaded: \(problem.message)",
                    hint: problem.hint))
        }
        let near = NearestName.of(workflow, among: known.filter { !$0.isDeleted }.map(\.id))
        return .failure(Child.unknown(workflow, near: near))
    }
}
