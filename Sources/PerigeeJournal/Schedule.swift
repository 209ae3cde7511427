/// How far a schedule has come.
///
/// Its next time is never stored: it follows from ``lastOccurrence`` and from what the workflow declares.
public struct ScheduleRecord: Hashable, Sendable {
    /// The most occurrences that may be pending.
    public static let mostPending = 1000
    /// The most runs that ``openRuns`` names.
    public static let mostOpenRuns = 1000

    public var namespace: String
    /// `sch_` and a digest of the workflow and of what it declares.
    public var id: String
    public var workflow: String
    /// Rises with every change, from 1; 0 where nothing is stored yet.
    public var revision: Int64
    /// Every occurrence up to this moment was dealt with: started, passed over, or is pending.
    public var lastOccurrence: Timestamp
    /// The last occurrence that started a run.
    public var lastStarted: Timestamp?
    /// Occurrences that wait for the end of an earlier run, oldest first, at most ``mostPending``.
    public var pending: [Timestamp]
    /// Since when its workflow no longer declares it; `nil` while it does.
    public var withdrawnAt: Timestamp?
    /// The last thing that people should know of it: an occurrence that was passed over, and why.
    public var note: String?
    /// The ids of the runs that it started and that have not ended, oldest first, at most ``mostOpenRuns``.
    ///
    /// A run that needs attention is not among them, as nothing happens in it. It is read from the runs themselves.
    public var openRuns: [String]

    public init(
        namespace: String, id: String, workflow: String, revision: Int64 = 0, lastOccurrence: Timestamp,
        lastStarted: Timestamp? = nil, pending: [Timestamp] = [], withdrawnAt: Timestamp? = nil,
        note: String? = nil, openRuns: [String] = []
    ) {
        self.namespace = namespace
        self.id = id
        self.workflow = workflow
        self.revision = revision
        self.lastOccurrence = lastOccurrence
        self.lastStarted = lastStarted
        self.pending = pending
        self.withdrawnAt = withdrawnAt
        self.note = note
        self.openRuns = openRuns
    }
}

/// What a host wants to be true of a schedule, and what begins with it.
public struct ScheduleAdvance: Hashable, Sendable {
    /// The schedule as it is to be; its ``ScheduleRecord/revision`` is the one that was read.
    ///
    /// Its ``ScheduleRecord/openRuns`` mean nothing here.
    public var schedule: ScheduleRecord
    /// The runs of the occurrences that are due.
    public var starts: [NewRun]
    /// Ends every open run of the schedule as ``RunStatus/terminated`` with this error, before the new ones start.
    public var terminates: Payload?

    public init(schedule: ScheduleRecord, starts: [NewRun] = [], terminates: Payload? = nil) {
        self.schedule = schedule
        self.starts = starts
        self.terminates = terminates
    }

    /// Why this can't be recorded whatever the store holds; `nil` if it can.
    package var fault: JournalError? {
        if schedule.pending.count > ScheduleRecord.mostPending {
            return .invalid(
                "\(schedule.pending.count) occurrences are pending, \(ScheduleRecord.mostPending) are the most"
            )
        }
        return Submission(namespace: schedule.namespace, starts: starts).fault
    }
}

/// What became of an advance.
public struct ScheduleReceipt: Hashable, Sendable {
    /// The schedule as it stands now.
    public var schedule: ScheduleRecord
    /// The ids of the runs, in the order of `starts`: of the earlier ones where a key names them; none for those that
    /// their key kept from being started, which the schedule's note tells.
    public var runs: [String]
    /// The runs that were ended.
    public var terminated: [RunRecord]
    /// See ``SubmissionReceipt/cancelled``.
    public var cancelled: [RunRecord]

    public init(
        schedule: ScheduleRecord, runs: [String], terminated: [RunRecord], cancelled: [RunRecord] = []
    ) {
        self.schedule = schedule
        self.runs = runs
        self.terminated = terminated
        self.cancelled = cancelled
    }
}
