import PerigeeJournal

/// What is to be done for a schedule at a moment: a function of what it declares, how far it has come, and the time.
struct SchedulePlan: Equatable {
    /// An occurrence that is dealt with later than this, in milliseconds, was missed.
    static let punctuality: Int64 = 60_000
    /// A schedule that has come further than this into the future, in milliseconds, followed a clock that was wrong.
    static let largestLead: Int64 = 2 * 86_400_000

    /// The occurrences that start a run now.
    private(set) var starts: [Timestamp] = []
    /// What is to be stored; equal to what was given where nothing is to be done.
    private(set) var record: ScheduleRecord
    /// The schedule's open runs are to be cancelled, those that were not asked before.
    private(set) var cancelsOthers = false
    /// The schedule's open runs are to be ended at once.
    private(set) var terminatesOthers = false
    /// When there is something to do next, if no run ends before.
    private(set) var wakeAt: Timestamp?

    init(_ schedule: Schedule, _ stored: ScheduleRecord, now: Timestamp) {
        record = stored
        if let withdrawnAt = stored.withdrawnAt {
            record.withdrawnAt = nil
            if now.milliseconds - withdrawnAt.milliseconds > SchedulePlan.punctuality { startAfresh(now) }
        }
        if stored.lastOccurrence.milliseconds - now.milliseconds > SchedulePlan.largestLead {
            startAfresh(now)
            record.note =
                "The clock was wrong: the schedule had come to \(stored.lastOccurrence). It goes on from now."
        }
        let pending = takePending()
        let due = takeDue(schedule, now)
        apply(schedule.overlap, to: pending + due, schedule.zone)
        // The one who stores what is pending asks the others to end. Should it die before, somebody else does, later:
        // to be asked twice would end a run at once.
        let isOverdue =
            pending.last.map { now.milliseconds - $0.milliseconds > SchedulePlan.punctuality } ?? false
        let isBusy = schedule.overlap == .cancel_other && !stored.openRuns.isEmpty
        cancelsOthers = isBusy && (!due.isEmpty || isOverdue)
        wakeAt = schedule.next(after: record.lastOccurrence).map { schedule.due($0, of: stored.id) }
    }

    /// Whether something is to be stored.
    func changes(_ stored: ScheduleRecord) -> Bool {
        record != stored || !starts.isEmpty || terminatesOthers
    }

    private mutating func startAfresh(_ now: Timestamp) {
        record.lastOccurrence = now
        record.pending = []
    }

    private mutating func takePending() -> [Timestamp] {
        defer { record.pending = [] }
        return record.pending
    }

    // MARK: What is due

    /// The occurrences that have come and are to be started by the catch-up policy; moves the schedule on to the last.
    private mutating func takeDue(_ schedule: Schedule, _ now: Timestamp) -> [Timestamp] {
        let limit = schedule.catchUp == .all ? ScheduleRecord.mostPending : 1
        let (due, isCut) = SchedulePlan.latest(limit, of: schedule, record, now: now)
        guard let last = due.last else { return [] }
        let since = record.lastOccurrence
        record.lastOccurrence = last
        // With a second one due the first was missed; a single one may still be in time.
        let isLate =
            now.milliseconds - schedule.due(last, of: record.id).milliseconds > SchedulePlan.punctuality
        let passesOverLast = schedule.catchUp == .none && isLate
        if isCut || passesOverLast {
            let words =
                schedule.catchUp == .all
                ? "more than \(limit) were missed" : "catch_up = \"\(schedule.catchUp)\""
            let end = passesOverLast ? "up to" : "before"
            let first = schedule.zone.text(passesOverLast ? last : due.first ?? last)
            record.note =
                "Missed: what was due after \(schedule.zone.text(since)) \(end) \(first) was passed over (\(words))."
        }
        return passesOverLast ? [] : due
    }

    /// The latest occurrences that have come, oldest first, and whether there were more.
    private static func latest(
        _ limit: Int, of schedule: Schedule, _ record: ScheduleRecord, now: Timestamp
    ) -> (due: [Timestamp], isCut: Bool) {
        let from = record.lastOccurrence
        // After a long outage only its end is looked through, in windows that double until they hold enough.
        var window: Int64 = 3_600_000
        while true {
            let start = max(from, now.adding(milliseconds: -window))
            var found: [Timestamp] = []
            var last = start
            while let next = schedule.next(after: last), next <= now {
                guard schedule.due(next, of: record.id) <= now else { break }
                found.append(next)
                last = next
            }
            if start == from || found.count > limit {
                return (found.suffix(limit), found.count > limit)
            }
            window = window.multipliedReportingOverflow(by: 2).partialValue
        }
    }

    // MARK: What overlaps

    private mutating func apply(_ overlap: ScheduleOverlap, to occurrences: [Timestamp], _ zone: ScheduleZone)
    {
        guard let newest = occurrences.last else { return }
        let isBusy = !record.openRuns.isEmpty
        switch overlap {
        case .allow_all: starts = occurrences
        case .skip, .buffer_one, .buffer_all:
            let room = overlap == .skip ? 0 : overlap == .buffer_one ? 1 : ScheduleRecord.mostPending
            let waiting = isBusy ? occurrences : Array(occurrences.dropFirst())
            starts = isBusy ? [] : [occurrences[0]]
            record.pending = Array(waiting.prefix(room))
            passOver(waiting.dropFirst(room), overlap, zone)
        case .cancel_other:
            if isBusy { record.pending = [newest] } else { starts = [newest] }
            passOver(occurrences.dropLast(), overlap, zone)
        case .terminate_other:
            terminatesOthers = isBusy
            starts = [newest]
            passOver(occurrences.dropLast(), overlap, zone)
        }
        if let started = starts.last { record.lastStarted = started }
    }

    private mutating func passOver(
        _ occurrences: ArraySlice<Timestamp>, _ overlap: ScheduleOverlap, _ zone: ScheduleZone
    ) {
        guard let last = occurrences.last else { return }
        let others = record.openRuns.first.map { "\($0) had not ended" } ?? "another one starts"
        let many = occurrences.count > 1 ? " and \(occurrences.count - 1) before it" : ""
        record.note = "\(zone.text(last))\(many): passed over, as \(others) (overlap = \"\(overlap)\")."
    }
}
