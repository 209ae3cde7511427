/// What becomes of a new run whose workflow has a run with the same business key already.
public enum KeyConflict: Hashable, Sendable {
    /// The run that exists, ended or not, is taken instead; of several the newest.
    case useExisting
    /// It is not created while one exists, ended or not.
    case reject
    /// Those that have not ended are cancelled with this error; the new one begins once all of them have ended.
    case cancelExisting(error: Payload)
    /// It begins once all that came before it have ended.
    case queue

    /// Whether a run that exists stands in the way of a new one.
    package var takesOneRun: Bool {
        switch self {
        case .useExisting, .reject: true
        case .cancelExisting, .queue: false
        }
    }
}

/// A run that was not created, because its key is taken and its workflow rejects a second one.
public struct KeyTaken: Hashable, Sendable {
    public var workflow: String
    public var key: String
    /// The id of the run that has the key.
    public var run: String

    public init(workflow: String, key: String, run: String) {
        self.workflow = workflow
        self.key = key
        self.run = run
    }

    /// What happened, as people are told.
    package var sentence: String { "The run \(run) of \(workflow) has the key \"\(key)\" already." }

    /// What a run is told that wanted to start another one: `{"refused":{"key":…,"run":…,"workflow":…}}`.
    package var payload: Payload {
        let taken: JSON = ["workflow": .string(workflow), "key": .string(key), "run": .string(run)]
        return JSON.object(["refused": taken]).bytes
    }

    /// Reads what ``payload`` wrote; `nil` for anything else.
    public init?(_ payload: Payload) {
        guard let taken = (try? JSON(parsing: payload, maxDepth: 512))?["refused"],
            let workflow = taken["workflow"]?.string, let key = taken["key"]?.string,
            let run = taken["run"]?.string
        else { return nil }
        self.init(workflow: workflow, key: key, run: run)
    }

    /// What the run that emitted the event shows of it.
    package func annotation(at: Timestamp) -> Annotation {
        let data: JSON = ["workflow": .string(workflow), "key": .string(key), "run": .string(run)]
        return Annotation(
            ordinal: nil, at: at, kind: .log, level: "warning",
            text: "Nothing was started. \(sentence)", data: data.bytes)
    }
}

/// Why a queued run can't begin yet.
public struct Blockage: Hashable, Sendable {
    public enum Kind: String, Sendable {
        /// Runs with the same business key came before it and have not ended.
        case key
        /// Other runs hold all slots that its workflow's `concurrency` allows.
        case concurrency
        /// Too many runs of its workflow failed, so that none begins before a moment.
        case breaker
    }

    public var kind: Kind
    /// The business key, the key of `concurrency` (empty where the whole workflow is one line), or the workflow.
    public var key: String
    /// How many runs may be under way at once; 1 for a business key, 0 for a breaker.
    public var limit: Int
    /// When a run is tried; `nil` for what is not a breaker.
    public var until: Timestamp?
    /// The ids of up to three runs that it waits for, those that came first first.
    public var runs: [String]

    /// How many runs a blockage names.
    package static let mostRuns = 3

    public init(kind: Kind, key: String, limit: Int, runs: [String], until: Timestamp? = nil) {
        self.kind = kind
        self.key = key
        self.limit = limit
        self.runs = runs
        self.until = until
    }
}

/// How far a run has come that may have to wait for others before it begins.
///
/// A run without it is in no line. It goes up and never back: a run whose turn it is holds its slot until it has
/// ended, whatever happens to it meanwhile.
package enum Turn: Int, Sendable {
    /// It waits for its time, before it goes into a line.
    case waitsForTime = 0
    /// It waits until the runs with its key that came before it have ended.
    case waitsForKey = 1
    /// It waits for a slot.
    case waitsForSlot = 2
    /// It holds a slot.
    case holdsSlot = 3
}

extension NewRun {
    /// Where the run stands as it is created.
    ///
    /// - Parameter keyIsTaken: whether a run with its key came before it and has not ended.
    package func firstTurn(keyIsTaken: Bool, now: Timestamp) -> Turn? {
        guard status == .queued else { return nil }
        if let startAt, startAt > now { return .waitsForTime }
        if keyIsTaken, !onConflict.takesOneRun { return .waitsForKey }
        return concurrencyKey == nil ? nil : .waitsForSlot
    }
}
