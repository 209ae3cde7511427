/// What becomes of a child when its parent ends first.
public enum ParentEndPolicy: String, CaseIterable, Sendable {
    /// It is cancelled.
    case cancel
    /// It goes on.
    case abandon
    /// It is ended at once.
    case terminate
}

/// The step of another run that started a run.
public struct RunParent: Hashable, Sendable {
    /// The parent's public id.
    public var run: String
    public var step: StepAddress
    /// What becomes of the run when its parent ends first.
    public var onEnd: ParentEndPolicy
    /// How many runs stand above the run: 1 for the child of a run that has no parent.
    public var depth: Int

    public init(run: String, step: StepAddress, onEnd: ParentEndPolicy, depth: Int) {
        self.run = run
        self.step = step
        self.onEnd = onEnd
        self.depth = depth
    }
}

/// A run that another one started, in few words.
public struct ChildRun: Hashable, Sendable {
    public var id: String
    public var number: Int64
    public var workflow: String
    public var status: RunStatus
    /// The parent's step that started it.
    public var step: StepAddress

    public init(id: String, number: Int64, workflow: String, status: RunStatus, step: StepAddress) {
        self.id = id
        self.number = number
        self.workflow = workflow
        self.status = status
        self.step = step
    }
}

/// A lock that a run holds.
public struct HeldLock: Hashable, Sendable {
    public var key: String
    public var step: StepAddress
    public var since: Timestamp

    public init(key: String, step: StepAddress, since: Timestamp) {
        self.key = key
        self.step = step
        self.since = since
    }
}

/// A lock that a run waits for.
public struct AwaitedLock: Hashable, Sendable {
    public var key: String
    /// The public id of the run that holds it.
    public var holder: String
    /// How many wait before it.
    public var ahead: Int

    public init(key: String, holder: String, ahead: Int) {
        self.key = key
        self.holder = holder
        self.ahead = ahead
    }
}

/// How a run stands to others.
public struct RunRelations: Hashable, Sendable {
    /// How many of the children are given at most.
    public static let maxChildren = 50

    /// The first ``maxChildren`` runs that it started, oldest first.
    public var children: [ChildRun]
    public var childCount: Int
    /// In the order in which they were granted.
    public var heldLocks: [HeldLock]
    /// In the order in which it began to wait for them.
    public var awaitedLocks: [AwaitedLock]
    /// In the order in which it began to wait at them.
    public var awaitedGates: [AwaitedGate]

    public init(
        children: [ChildRun] = [], childCount: Int = 0, heldLocks: [HeldLock] = [],
        awaitedLocks: [AwaitedLock] = [], awaitedGates: [AwaitedGate] = []
    ) {
        self.children = children
        self.childCount = childCount
        self.heldLocks = heldLocks
        self.awaitedLocks = awaitedLocks
        self.awaitedGates = awaitedGates
    }
}

/// How a run ended, as an answer to those who wait for it.
public struct ChildEnd: Hashable, Sendable {
    public var run: String
    public var status: RunStatus
    public var output: Payload?
    public var error: Payload?

    package init(run: String, status: RunStatus, output: Payload?, error: Payload?) {
        self.run = run
        self.status = status
        self.output = output
        self.error = error
    }

    /// Reads an answer; `nil` if it is none of this kind.
    public init?(_ payload: Payload) {
        guard let fields = try? JSON(parsing: payload, maxDepth: 512), let run = fields["run"]?.string,
            let status = fields["status"]?.string.flatMap(RunStatus.init)
        else { return nil }
        self.init(
            run: run, status: status, output: fields["output"]?.bytes, error: fields["error"]?.bytes)
    }

    /// `{"run":…,"status":…,"output":…,"error":…}`.
    package var payload: Payload {
        var fields: [String: JSON] = ["run": .string(run), "status": .string(status.rawValue)]
        if let output { fields["output"] = try? JSON(parsing: output, maxDepth: 512) }
        if let error { fields["error"] = try? JSON(parsing: error, maxDepth: 512) }
        return JSON.object(fields).bytes
    }

    /// What a child shows that was ended because its parent had ended.
    package static func parentEnded(_ parent: String, _ status: RunStatus) -> Payload {
        let error: JSON = [
            "code": "PG2132", "kind": "cancelled",
            "message": .string("The run that started it, \(parent), ended first: it is \(status.rawValue)."),
            "hint":
                "Start the workflow again if it is needed after all; on_parent_end = \"abandon\" lets it go on.",
            "by": .string(parent),
        ]
        return error.bytes
    }
}

/// What the end of a run did to others.
package struct EndEffects: Hashable, Sendable {
    /// A run can be claimed now that could not before.
    package var wakesRuns = false
    /// Children were ended with it, whether a host worked on them or not.
    package var closesChildren = false

    package init(wakesRuns: Bool = false, closesChildren: Bool = false) {
        self.wakesRuns = wakesRuns
        self.closesChildren = closesChildren
    }

    package mutating func formUnion(_ other: EndEffects) {
        wakesRuns = wakesRuns || other.wakesRuns
        closesChildren = closesChildren || other.closesChildren
    }
}

/// What became of the runs that a commit starts.
package struct BegunRuns: Sendable {
    /// By the ids that the commit gave, the runs that they came to.
    package var names: [String: String] = [:]
    /// By the ids that the commit gave, those that were not created.
    package var refused: [String: KeyTaken] = [:]
    package var cancelled: [RunRecord] = []
    /// A run can be claimed now that could not before.
    package var wakes = false

    package init() {}

    package mutating func take(_ start: NewRun, _ begun: (receipt: SubmissionReceipt, wakes: Bool)) {
        names[start.id] = begun.receipt.runs.first
        refused[start.id] = begun.receipt.refused.first
        cancelled += begun.receipt.cancelled
        wakes = wakes || begun.wakes
    }
}

extension Wait {
    /// The wait with the run that an id of the same commit came to.
    ///
    /// - Returns: what answers it at once: there is no such run, because its key is taken.
    package mutating func resolve(by begun: BegunRuns) -> Payload? {
        switch kind {
        case .child(let run), .started(let run):
            if let taken = begun.refused[run] {
                kind = .timer
                return taken.payload
            }
            let name = begun.names[run] ?? run
            if case .child = kind { kind = .child(run: name) } else { kind = .started(run: name) }
        case .timer, .retry, .gate, .event, .approval, .lock: break
        }
        return nil
    }
}
