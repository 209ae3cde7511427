/// What a host tells the journal of one run that it owns.
///
/// All of it becomes durable together, or nothing.
public struct Commit: Hashable, Sendable {
    /// What the run does after this commit.
    public enum Next: Hashable, Sendable {
        /// The host keeps working on it.
        case running
        /// The host lets go of it until one of its waits is answered.
        case waiting
        /// The host lets go of it because somebody asked to pause it; one that is to go on after all can be claimed.
        case paused
        /// The host lets go of it; it needs attention because of this error.
        case attention(error: Payload)
        /// It is over: a status that is final, with its output or its error.
        case ended(RunStatus, output: Payload?, error: Payload?)
    }

    /// The version that a run moves to.
    public struct Move: Hashable, Sendable {
        public var version: Int
        public var bundle: String

        public init(version: Int, bundle: String) {
            self.version = version
            self.bundle = bundle
        }
    }

    /// The run, by ``RunRecord/number``.
    public var run: Int64
    /// The epoch under which the host owns the run.
    public var epoch: Int64
    public var at: Timestamp
    /// New entries; the first one's sequence follows the last one in the journal.
    public var entries: [Entry]
    /// Waits that begin.
    public var opens: [Wait]
    /// Waits that these entries take over, by id, answered or not.
    ///
    /// They are gone before the new ones open; an approval that nobody has decided is `cancelled`. Ids that
    /// are none of this run's waits mean nothing.
    public var closes: [String]
    /// Of closed waits by which a gate let a call through, whether the destination failed; one that is missing was
    /// not called.
    public var failures: [String: Bool]
    /// Paths of branches whose entries are not kept any longer, those of this commit and earlier ones, with the
    /// branches inside them.
    public var prunes: [String]
    /// Locks that the run gives back, by the ids of the waits by which it got them.
    ///
    /// The next that waits for such a lock gets it. Ids by which this run holds nothing mean nothing.
    public var releases: [String]
    /// Durable values of the run's workflow that change, in this order.
    ///
    /// Where a number is added to what is none, the value stays as it is, and the run shows that.
    public var writes: [StateWrite]
    /// Runs that this run starts; a wait that opens with them may name them by the ids given here.
    public var starts: [NewRun]
    /// The run that goes on in place of this one; there is one exactly if the run ends as
    /// ``RunStatus/continued``.
    ///
    /// It takes over the run's key, and who waits for this run waits for that one. Its waits look back as far as this
    /// run's, without the events that answered one. A request to pause this run that came meanwhile is one to pause
    /// that run: it is ``RunStatus/paused`` before it begins.
    public var continuation: NewRun?
    /// Events that the run emitted, each with the runs it starts.
    public var emits: [Submission]
    public var annotations: [Annotation]
    /// New tags, as a JSON object; `nil` leaves them.
    public var tags: Payload?
    /// A new status line; `nil` leaves it.
    public var statusText: String?
    public var move: Move?
    /// Whether the host goes on working on the run while waits of it are open: ``Claim/told`` has their answers.
    public var watches: Bool
    public var next: Next

    public init(
        run: Int64, epoch: Int64, at: Timestamp, entries: [Entry] = [], opens: [Wait] = [],
        closes: [String] = [], failures: [String: Bool] = [:], prunes: [String] = [], releases: [String] = [],
        writes: [StateWrite] = [],
        starts: [NewRun] = [], continuation: NewRun? = nil,
        emits: [Submission] = [], annotations: [Annotation] = [], tags: Payload? = nil,
        statusText: String? = nil,
        move: Move? = nil, watches: Bool = false, next: Next
    ) {
        self.run = run
        self.epoch = epoch
        self.at = at
        self.entries = entries
        self.opens = opens
        self.closes = closes
        self.failures = failures
        self.prunes = prunes
        self.releases = releases
        self.writes = writes
        self.starts = starts
        self.continuation = continuation
        self.emits = emits
        self.annotations = annotations
        self.tags = tags
        self.statusText = statusText
        self.move = move
        self.watches = watches
        self.next = next
    }
}

/// What became of a commit.
public struct CommitReceipt: Hashable, Sendable {
    /// Whether a run can be claimed now that could not before: one that this commit emitted to or started, one
    /// that waited for the end of the committed run, or the committed run itself because an event that it waits
    /// for had come already.
    public var wakesRuns: Bool
    /// See ``SubmissionReceipt/cancelled``: of all that it emitted and started.
    public var cancelled: [RunRecord]
    /// Whether it ended the run and with it children at once, whether a host worked on them or not.
    public var closesChildren: Bool

    public init(wakesRuns: Bool, cancelled: [RunRecord] = [], closesChildren: Bool = false) {
        self.wakesRuns = wakesRuns
        self.cancelled = cancelled
        self.closesChildren = closesChildren
    }
}

/// A run that a host now owns.
public struct ClaimedRun: Hashable, Sendable {
    /// The run, with its new epoch.
    public var run: RunRecord
    /// The answers that wait to be taken over, oldest first.
    public var answers: [WaitAnswer]

    public init(run: RunRecord, answers: [WaitAnswer]) {
        self.run = run
        self.answers = answers
    }
}

/// What came of a claim.
public struct Claim: Hashable, Sendable {
    public var runs: [ClaimedRun]
    /// Runs that the host owned already, under the epoch that they had, for which something has come: an answer, a
    /// request to cancel or to pause, or the end of their time.
    public var told: [ClaimedRun]
    /// When there is something to claim or to be told next, as far as is known now; `nil` for never.
    public var nextDue: Timestamp?

    public init(runs: [ClaimedRun], told: [ClaimedRun] = [], nextDue: Timestamp?) {
        self.runs = runs
        self.told = told
        self.nextDue = nextDue
    }
}

/// What a host learns when it renews its lease.
public struct Heartbeat: Hashable, Sendable {
    /// How many runs were freed because the host that owned them is gone.
    public var freed: Int

    public init(freed: Int) {
        self.freed = freed
    }
}

/// What became of a request to end a run.
public enum Cancellation: Hashable, Sendable {
    /// Its script had nothing to undo, or was not to be asked: it has ended now.
    case ended(RunRecord)
    /// Its script is told at its next step, and unwinds.
    case requested(RunRecord)
    /// It had ended before.
    case alreadyEnded(RunRecord)

    /// The run as it stands.
    public var run: RunRecord {
        switch self {
        case .ended(let run), .requested(let run), .alreadyEnded(let run): run
        }
    }
}
