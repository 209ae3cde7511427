public import PerigeeJournal

/// A schedule that a workflow declares, and how far it has come.
public struct ScheduleInfo: Hashable, Sendable {
    /// `sch_` and a digest of the workflow and of what says when it is due.
    public var id: String
    public var workflow: String
    /// The cron expression; `nil` for an interval.
    public var cron: String?
    /// The interval; `nil` for a cron expression.
    public var every: String?
    /// The name of its time zone.
    public var timeZone: String
    /// When it is due, for people: `every day at 02:00, Europe/Paris`.
    public var sentence: String
    public var overlap: String
    public var catchUp: String
    /// The longest delay, in milliseconds.
    public var jitterMilliseconds: Int64
    /// The next five occurrences, RFC 3339 in its time zone.
    public var next: [String]
    /// The last occurrence that started a run, RFC 3339 in its time zone.
    public var lastStarted: String?
    /// The occurrences that wait for the end of an earlier run, RFC 3339 in its time zone.
    public var pending: [String]
    /// The ids of its runs that have not ended and do not need attention, at most 1,000.
    public var openRuns: [String]
    /// The last occurrence that was passed over, and why.
    public var note: String?
    /// The trigger as it is declared.
    public var declared: JSON

    init(_ one: TriggerIndex.ScheduledTarget, _ record: ScheduleRecord?, now: Timestamp) {
        let schedule = one.schedule
        id = one.id
        workflow = one.target.version.workflow
        cron = schedule.declared["cron"]?.string
        every = schedule.declared["every"]?.string
        timeZone = schedule.zone.name
        sentence = schedule.sentence
        overlap = schedule.overlap.rawValue
        catchUp = schedule.catchUp.rawValue
        jitterMilliseconds = schedule.jitter
        var times: [Timestamp] = []
        while times.count < 5,
            let time = schedule.next(after: times.last ?? max(now, record?.lastOccurrence ?? now))
        {
            times.append(time)
        }
        next = times.map(schedule.zone.text)
        lastStarted = record?.lastStarted.map(schedule.zone.text)
        pending = record?.pending.map(schedule.zone.text) ?? []
        openRuns = record?.openRuns ?? []
        note = record?.note
        declared = schedule.declared
    }
}

extension WorkflowHost {
    // MARK: Schedules

    /// The schedules that the scripts declare as they stand, in order of their workflows.
    ///
    /// - Throws: ``JournalError`` if the store fails.
    public func schedules() async throws -> [ScheduleInfo] {
        let records = try await journal.schedules(namespace: namespace)
        let stored = Dictionary(records.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        return registry.triggers.schedules.map { ScheduleInfo($0, stored[$0.id], now: ambient.now) }
    }
}
