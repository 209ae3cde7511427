/// What a person does to a run.
public enum RunAction: Hashable, Sendable {
    /// Asks it to end, as ``Journal/cancel(run:error:isForced:now:)`` does.
    case cancel(error: Payload, isForced: Bool)
    /// Lets nothing more begin: a run that is queued or waits is ``RunStatus/paused`` at once, one that a host works
    /// on once what is under way has ended.
    ///
    /// Answers that come meanwhile are kept; what falls due is taken when it goes on.
    case pause
    /// Lets a paused run go on; its deadline is moved by as long as it was paused.
    case resume
    /// Goes on with a run that needs attention or ended without its result.
    case retry(Reopening)
    /// Gives a step its outcome: one that waits, or one that a host works on.
    case setResult(StepAddress, Payload)
    /// Ends the wait for the next attempt at this step before its time.
    case retryNow(StepAddress)
}

/// How a run that has come to a stop goes on.
public struct Reopening: Hashable, Sendable {
    /// The run's entries as they were looked at, by the last sequence; nothing is done if there are others now.
    public var entryCount: Int
    /// Entries that are taken back, see ``Fact/reset(_:)``.
    public var reset: [Int]
    /// The version that it goes on with; `nil` for the one that it has.
    public var move: Commit.Move?
    /// The keys of locks inside which it goes on; nothing is done unless it has them.
    public var locks: [String]
    /// The outcome of a step that is then to be asked for; `nil` to do it again.
    public var result: StepResult?
    /// Waits for the ends of other runs that still stand in the record: they are opened again.
    public var awaits: [Wait]

    public struct StepResult: Hashable, Sendable {
        public var address: StepAddress
        public var value: Payload

        public init(address: StepAddress, value: Payload) {
            self.address = address
            self.value = value
        }
    }

    public init(
        entryCount: Int, reset: [Int], move: Commit.Move? = nil, locks: [String] = [],
        result: StepResult? = nil, awaits: [Wait] = []
    ) {
        self.entryCount = entryCount
        self.reset = reset
        self.move = move
        self.locks = locks
        self.result = result
        self.awaits = awaits
    }
}

/// Who does something, and why.
public struct ActionNote: Hashable, Sendable {
    public var by: String
    /// `cancel`, `terminate`, `pause`, `resume`, `retry`, `skip`, `set_result`, `retry_now`, `fork`, `start`.
    public var action: String
    public var reason: String?
    /// The batch that it is a part of, by its id.
    public var batch: String?

    public init(by: String, action: String, reason: String? = nil, batch: String? = nil) {
        self.by = by
        self.action = action
        self.reason = reason
        self.batch = batch
    }
}

/// What became of an action.
public enum ActionResult: Hashable, Sendable {
    /// It was done, and the run is so now.
    case done(RunRecord)
    /// The run's state does not permit it; nothing was changed.
    case refused(RunRecord)
    /// The batch that it is a part of acted on this run before, or has ended; nothing was changed.
    case repeated(RunRecord)
}

extension RunStatus {
    /// Whether a run that came to this can go on by ``RunAction/retry(_:)``.
    public var canBeRetried: Bool {
        switch self {
        case .attention, .failed, .timed_out, .cancelled, .terminated: true
        case .queued, .running, .waiting, .paused, .completed, .stopped, .continued: false
        }
    }
}

extension RunAction {
    /// The step that it is about.
    package var step: StepAddress? {
        switch self {
        case .setResult(let address, _), .retryNow(let address): address
        case .retry(let reopening): reopening.result?.address
        case .cancel, .pause, .resume: nil
        }
    }
}

extension ActionNote {
    /// What the run's timeline shows of an action.
    package func annotation(_ step: StepAddress?, at now: Timestamp) -> Annotation {
        let done =
            switch action {
            case "cancel": "Asked to end"
            case "terminate": "Terminated"
            case "pause": "Paused"
            case "resume": "Resumed"
            case "retry": "Retried"
            case "skip": "Skipped"
            case "set_result": "Result set by hand"
            case "retry_now": "Next attempt asked for at once"
            default: action
            }
        return Annotation(
            ordinal: nil, at: now, kind: .note, text: "\(done) by \(by)" + (reason.map { ": \($0)" } ?? ""),
            step: step)
    }
}
