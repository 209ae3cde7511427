public import PerigeeJournal

/// Something that a person asks for one run.
public enum RunRequest: Hashable, Sendable {
    /// Its script gets an error at its next step that it can't catch, sagas undo what they did, and `on_cancel` runs;
    /// asked a second time, it ends at once.
    case cancel
    /// It ends at once, without its script being asked.
    case terminate
    /// Nothing more begins until it is resumed.
    case pause
    case resume
    /// A run that needs attention, failed, was cancelled or ran out of time goes on where it stopped.
    case retry(RetryVersion)
    /// The step gives `nil`.
    case skip(StepReference)
    /// The step gives this value.
    case setResult(StepReference, JSON)
    /// The next attempt of the step is made at once.
    case retryNow(StepReference)

    /// The version that a run goes on with.
    public enum RetryVersion: String, CaseIterable, Sendable {
        /// The one that it is on.
        case same
        /// The newest, if it comes to the same place by way of everything that is recorded.
        case newest
    }
}

/// A step as a person names it.
public struct StepReference: Hashable, Sendable {
    /// The label that the script gave it; `nil` where there is only one that can be meant.
    public var label: String?
    /// The branch; `nil` for any.
    public var path: String?
    /// Which use of the label in its branch, from 1; `nil` for any.
    public var occurrence: Int?

    public init(label: String? = nil, path: String? = nil, occurrence: Int? = nil) {
        self.label = label
        self.path = path
        self.occurrence = occurrence
    }

    /// Whether it may mean the step at this address.
    func means(_ address: StepAddress) -> Bool {
        (label == nil || label == address.label) && (path == nil || path == address.path)
            && (occurrence == nil || occurrence == address.occurrence)
    }
}

/// What an action would come to.
public struct ActionPreview: Sendable {
    /// The run as it stands.
    public var run: RunRecord
    /// The calls that it would send again, in the order in which they ended.
    public var sendsAgain: [ResentCall]
}

extension RunRequest {
    /// What an audit record calls it.
    public var name: String {
        switch self {
        case .cancel: "cancel"
        case .terminate: "terminate"
        case .pause: "pause"
        case .resume: "resume"
        case .retry: "retry"
        case .skip: "skip"
        case .setResult: "set_result"
        case .retryNow: "retry_now"
        }
    }

    /// What is said of a run that does not take it.
    var verb: String {
        switch self {
        case .cancel: "cancelled"
        case .terminate: "terminated"
        case .pause: "paused"
        case .resume: "resumed"
        case .retry: "retried"
        case .skip, .setResult: "given a step's result"
        case .retryNow: "made to try again"
        }
    }
}
