import PerigeeJournal
import PerigeeLua

/// What a durable verb comes to: each verb's own file says how its arguments are read.
enum StepPlan: Sendable {
    /// Tells an event with the next commit.
    case emit(type: String, data: Payload)
    /// Waits until it is answered, or until a moment.
    case wait(Wait.Kind, dueAt: Timestamp?)
    /// Does something that the outside world sees.
    case effect(Effect)
    /// Changes a durable value with the next commit.
    case write(StateWrite)
    /// Reads a durable value.
    case read(String)
    /// Starts another run with the next commit.
    case child(Result<ChildStart, ScriptError>)
    /// Ends the run, and another one goes on.
    case goOn(Result<NewRun, ScriptError>)
    /// Ends the run on purpose.
    case stop(String?)
    /// The run can't go on until a person resolves this.
    case attention(ScriptError)

    /// Reads a step.
    ///
    /// - Throws: ``ScriptError`` for arguments that make no sense; it is raised in the script.
    init(
        _ step: Step, secrets: [SecretUse], run: RunRecord, target: NamedWorkflow? = nil, now: Timestamp
    ) throws(ScriptError) {
        let arguments = (try? JSON(parsing: step.arguments, maxDepth: 80)) ?? .null
        switch step.verb {
        case "sleep": self = Sleep.plan(arguments, now: now)
        case "wait.event": self = try WaitEvent.plan(arguments, now: now)
        case "emit": self = Emit.plan(arguments)
        case "call": self = .effect(.call(CallFunction(arguments, step: step, run: run)))
        case "undo": self = .attention(Saga.attention(arguments))
        case "flow.lock": self = Lock.plan(arguments, now: now)
        case let verb where verb.hasPrefix("flow.state."): self = try StateValue.plan(verb, arguments)
        case "flow.start", "flow.call":
            self = Child.plan(arguments, step: step, run: run, target: target, now: now)
        case "flow.continue": self = Continuation.plan(arguments, run: run, target: target)
        case "flow.stop": self = .stop(arguments["text"]?.string)
        case let verb where Approval.kinds[verb] != nil:
            self = try Approval.plan(Approval.kinds[verb] ?? .approval, arguments, now: now)
        case let verb where verb.hasPrefix("http."):
            self = .effect(.http(try HTTPCall(arguments, secrets: secrets, step: step, run: run)))
        default:
            throw ScriptError(
                code: "PG1010", kind: "script", message: "\"\(step.verb)\" is no verb of this host.",
                hint: "The run's script is from another version of Perigee; run that version.")
        }
    }

    /// What a script is given when its wait was answered.
    static func outcome(of answer: WaitAnswer, verb: String, publicURL: String) -> Outcome {
        switch verb {
        case "flow.lock": Lock.outcome(answer)
        case "flow.call", "flow.start": Child.outcome(answer, verb: verb)
        default:
            Approval.kinds[verb] != nil
                ? Approval.outcome(answer, publicURL: publicURL)
                : .success(answer.payload ?? JSON.null.bytes)
        }
    }

    /// What a run waits for at a step, for people.
    static func awaited(by verb: String) -> String {
        switch verb {
        case "sleep": "for its time"
        case "flow.lock": "for a lock"
        case "flow.call": "for another run"
        case "flow.start": "for its start"
        case let verb where verb.hasPrefix("http."): "for its next attempt or its turn"
        default: Approval.kinds[verb] != nil ? "for a decision" : "for an event"
        }
    }
}

/// Something that the outside world sees.
enum Effect: Sendable {
    /// Nobody sees it: a durable value is read.
    case state(key: String)
    case http(HTTPCall)
    case call(CallFunction)
}

/// How an effect ended.
enum EffectResult: Sendable {
    case outcome(Outcome, attempts: Int, startedAt: Timestamp)
    /// It could not even begin, for a reason that only a person can resolve.
    case attention(ScriptError)
    /// The attempt failed, and the next one is made at this moment.
    case again(at: Timestamp, attempts: Int, startedAt: Timestamp)
}

/// What an effect came to, with what people are shown of its attempts.
struct EffectEnd: Sendable {
    var result: EffectResult
    var attempts: [AttemptDetail]
    /// Whether the destination failed; `nil` if it was not called.
    var hasFailed: Bool?
    /// What is kept of its outcome.
    var keeps: StateWrite?

    init(_ result: EffectResult, _ attempts: [AttemptDetail] = []) {
        self.result = result
        self.attempts = attempts
    }
}
