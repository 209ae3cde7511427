/// The state that a run is in.
public enum RunStatus: String, CaseIterable, Sendable {
    /// Accepted; no host has begun it yet.
    case queued
    /// A host works on it.
    case running
    /// It waits for a time, an event or a person, and takes no memory.
    case waiting
    /// It cannot go on until a person or a rule resolves what stands in its `error`.
    case attention
    /// A person paused it.
    case paused
    /// Its script returned.
    case completed
    /// It ended by `flow.fail`.
    case failed
    /// It ended by `flow.stop`.
    case stopped
    /// A person or another run cancelled it.
    case cancelled
    /// It was ended at once, without its script being asked.
    case terminated
    /// It ran out of the time that its workflow allows.
    case timed_out
    /// It went on as a fresh run.
    case continued

    /// Whether nothing more can happen to the run.
    public var isFinal: Bool {
        switch self {
        case .queued, .running, .waiting, .attention, .paused: false
        case .completed, .failed, .stopped, .cancelled, .terminated, .timed_out, .continued: true
        }
    }
}

/// Where a step stands in its run: the branch, the label that the author gave it, and which use of that label
/// in that branch it is.
///
/// A step keeps its address when lines are added or moved around it.
public struct StepAddress: Hashable, Sendable {
    /// The branch, as a path from the run's main line, which is empty: `Kick everything off/invoice`.
    public var path: String
    /// The label that the author wrote.
    public var label: String
    /// 1 for the first step of this label in this branch, 2 for the second and so on.
    public var occurrence: Int

    public init(path: String = "", label: String, occurrence: Int) {
        self.path = path
        self.label = label
        self.occurrence = occurrence
    }
}

extension StepAddress {
    /// The branch as people are shown it: `Kick everything off › invoice`.
    public var shownPath: String {
        path.split(separator: "/").map { part in
            part.replacing("~2", with: "#").replacing("~1", with: "/").replacing("~0", with: "~")
        }.joined(separator: " › ")
    }
}

extension StepAddress: CustomStringConvertible {
    /// `/Kick everything off/invoice/Create invoice#1`.
    public var description: String {
        (path.isEmpty ? "/" : "/\(path)/") + "\(label)#\(occurrence)"
    }
}

/// A durable verb as a script called it.
public struct Step: Hashable, Sendable {
    public var address: StepAddress
    /// The verb: `http.post`, `sleep`, `ask.approval`, `emit` and so on.
    public var verb: String
    /// What the script gave to the verb, as a JSON object.
    public var arguments: Payload
    /// The script's line, from 1; 0 where it is not known.
    public var line: Int

    public init(address: StepAddress, verb: String, arguments: Payload, line: Int) {
        self.address = address
        self.verb = verb
        self.arguments = arguments
        self.line = line
    }
}

/// How a step ended.
public enum Outcome: Hashable, Sendable {
    /// It gave this value.
    case success(Payload)
    /// It failed with this error, a JSON object `{kind, code, message, hint, …}`.
    case failure(Payload)
}

/// One thing that happened in a run and is never changed afterwards.
public enum Fact: Hashable, Sendable {
    /// A step ended.
    ///
    /// `attempts` counts from 1; `startedAt` is when its first attempt began.
    case stepCompleted(Step, Outcome, attempts: Int, startedAt: Timestamp)
    /// The run began to wait at a step, after so many attempts at it.
    case waitOpened(Step, wait: String, attempts: Int = 0)
    /// A step began that is done at most once.
    case attemptBegun(Step)
    /// The run moved to another version of its workflow.
    case versionMoved(from: Int, to: Int, bundle: String)
    /// Somebody, or its time, asked the run to end with this status (``RunStatus/cancelled`` or
    /// ``RunStatus/timed_out``): what follows is its unwinding.
    case endRequested(RunStatus, error: Payload)
    /// A person took back the entries of these sequences; they count no more.
    case reset([Int])
}

/// A fact at its place in a run's journal.
public struct Entry: Hashable, Sendable {
    /// The place, from 1; gaps are what a checkpoint did not keep.
    public var sequence: Int
    public var recordedAt: Timestamp
    public var fact: Fact

    public init(sequence: Int, recordedAt: Timestamp, fact: Fact) {
        self.sequence = sequence
        self.recordedAt = recordedAt
        self.fact = fact
    }
}

/// What is only shown to people; it stands beside the journal and is no part of a replay.
public struct Annotation: Hashable, Sendable {
    public enum Kind: String, Sendable {
        case log, note, attempt, metric
    }

    /// The script's how-manieth annotation this is, from 1.
    ///
    /// A run that is replayed makes the same ones again, and the journal keeps the first of each ordinal.
    /// `nil` where the host itself says something: always kept.
    public var ordinal: Int?
    public var at: Timestamp
    public var kind: Kind
    /// `debug`, `info`, `warning` or `error`.
    public var level: String
    public var text: String
    /// More about it, as a JSON object.
    public var data: Payload?
    /// The step that it belongs to.
    public var step: StepAddress?

    public init(
        ordinal: Int?, at: Timestamp, kind: Kind, level: String = "info", text: String, data: Payload? = nil,
        step: StepAddress? = nil
    ) {
        self.ordinal = ordinal
        self.at = at
        self.kind = kind
        self.level = level
        self.text = text
        self.data = data
        self.step = step
    }
}

/// A run as it stands now.
public struct RunRecord: Hashable, Sendable {
    /// The public id, `run_` and 26 characters that sort by time.
    public var id: String
    /// The store's own number, which rises with every run; commits name a run by it.
    public var number: Int64
    public var namespace: String
    /// The workflow's id: its script's file name without `.lua`.
    public var workflow: String
    /// The version of the workflow that the run is on, from 1.
    public var version: Int
    /// The bundle of texts that this version is, see ``WorkflowVersion/bundle``.
    public var bundle: String
    public var status: RunStatus
    /// The business key that makes a second run of the same thing impossible.
    public var key: String?
    public var input: Payload
    /// What the script returned.
    public var output: Payload?
    /// Why the run needs attention or ended as it did: `{kind, code, message, hint, …}`.
    public var error: Payload?
    /// What started it: `{type: "event"|"http"|"manual"|"run"|"continued"|"rerun", …}`.
    public var trigger: Payload
    /// The event that started it.
    public var eventID: String?
    /// The id that everything that follows from the same cause shares.
    public var correlationID: String
    /// The run that started it, and what binds it to that.
    public var parent: RunParent?
    /// The run that it goes on for.
    public var continuedFrom: String?
    /// The run that goes on for it.
    public var continuedAs: String?
    /// Tags that the script set, as a JSON object of texts.
    public var tags: Payload?
    /// The line that the script set by `flow.status`.
    public var statusText: String?
    public var createdAt: Timestamp
    /// When a host first took it up.
    public var startedAt: Timestamp?
    /// When it came to its end (`status.isFinal`).
    public var endedAt: Timestamp?
    /// When it runs out of the time that its workflow allows; known once it has started.
    public var deadlineAt: Timestamp?
    /// Why somebody asked to cancel it; it unwinds, unless it has ended.
    public var cancelRequest: Payload?
    /// When somebody asked to pause it; it is ``RunStatus/paused`` as soon as nothing is under way.
    public var pausedAt: Timestamp?
    /// What it waits for, while it is ``RunStatus/waiting``, ``RunStatus/running`` or ``RunStatus/paused``; a
    /// ``ClaimedRun`` has it not.
    public var waits: [Wait]
    /// Why it can't begin yet; `nil` unless it is queued behind other runs.
    public var blockedBy: Blockage?
    /// The host that works on it.
    public var owner: String?
    /// Rises with every claim; a commit under an older epoch is refused.
    public var epoch: Int64
    /// The sequence of the last entry of its journal.
    public var entryCount: Int

    public init(
        id: String, number: Int64, namespace: String, workflow: String, version: Int, bundle: String,
        status: RunStatus, key: String?, input: Payload, output: Payload? = nil, error: Payload? = nil,
        trigger: Payload, eventID: String? = nil, correlationID: String, parent: RunParent? = nil,
        continuedFrom: String? = nil, continuedAs: String? = nil, tags: Payload? = nil,
        statusText: String? = nil, createdAt: Timestamp, startedAt: Timestamp? = nil,
        endedAt: Timestamp? = nil, deadlineAt: Timestamp? = nil, cancelRequest: Payload? = nil,
        pausedAt: Timestamp? = nil, waits: [Wait] = [], blockedBy: Blockage? = nil, owner: String? = nil,
        epoch: Int64 = 0,
        entryCount: Int = 0
    ) {
        self.id = id
        self.number = number
        self.namespace = namespace
        self.workflow = workflow
        self.version = version
        self.bundle = bundle
        self.status = status
        self.key = key
        self.input = input
        self.output = output
        self.error = error
        self.trigger = trigger
        self.eventID = eventID
        self.correlationID = correlationID
        self.parent = parent
        self.continuedFrom = continuedFrom
        self.continuedAs = continuedAs
        self.tags = tags
        self.statusText = statusText
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.deadlineAt = deadlineAt
        self.cancelRequest = cancelRequest
        self.pausedAt = pausedAt
        self.waits = waits
        self.blockedBy = blockedBy
        self.owner = owner
        self.epoch = epoch
        self.entryCount = entryCount
    }
}

/// One version of a workflow: the complete text that its runs run on.
public struct WorkflowVersion: Hashable, Sendable {
    public var namespace: String
    public var workflow: String
    /// From 1, rising with every saved change.
    public var number: Int
    /// The hash of the texts: the same texts always have the same bundle.
    public var bundle: String
    public var createdAt: Timestamp
    /// Those of the newest version count for all runs of the workflow.
    public var rules: WorkflowRules

    public init(
        namespace: String, workflow: String, number: Int, bundle: String, createdAt: Timestamp,
        rules: WorkflowRules = WorkflowRules()
    ) {
        self.namespace = namespace
        self.workflow = workflow
        self.number = number
        self.bundle = bundle
        self.createdAt = createdAt
        self.rules = rules
    }
}
