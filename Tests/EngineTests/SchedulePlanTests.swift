@testable import Perigee
import PerigeeJournal
import Testing

/// What a schedule does at a moment, without a host.
@Suite("Plan of a schedule")
struct SchedulePlanTests {
    private let start = Timestamp(milliseconds: 1_790_000_000_000 - 1_790_000_000_000 % 3_600_000)

    private func hour(_ hours: Int64, _ minutes: Int64 = 0) -> Timestamp {
        start.adding(milliseconds: hours * 3_600_000 + minutes * 60_000)
    }

    private func schedule(_ fields: [String: JSON] = [:]) throws -> Schedule {
        try Schedule(.object(["every": "1h"].merging(fields) { $1 }))
    }

    private func record(
        last: Timestamp, pending: [Timestamp] = [], open: [String] = [], withdrawnAt: Timestamp? = nil
    ) -> ScheduleRecord {
        ScheduleRecord(
            namespace: "default", id: "sch_1", workflow: "w", revision: 1, lastOccurrence: last,
            pending: pending,
            withdrawnAt: withdrawnAt, openRuns: open)
    }

    @Test("nothing is due before its time, and one occurrence is due at it")
    func onTime() throws {
        let schedule = try schedule()
        let early = SchedulePlan(schedule, record(last: hour(0)), now: hour(0, 59))
        #expect(early.starts.isEmpty && !early.changes(record(last: hour(0))) && early.wakeAt == hour(1))
        let due = SchedulePlan(schedule, record(last: hour(0)), now: hour(1))
        #expect(due.starts == [hour(1)] && due.record.lastOccurrence == hour(1) && due.wakeAt == hour(2))
        #expect(due.record.lastStarted == hour(1) && due.record.note == nil)
    }

    @Test("a missed time is caught up by the policy")
    func catchUp() throws {
        let stored = record(last: hour(0))
        let cases: [(String, Timestamp, [Timestamp])] = [
            ("one", hour(3, 30), [hour(3)]), ("all", hour(3, 30), []), ("none", hour(3, 30), []),
            ("one", hour(1, 30), [hour(1)]), ("none", hour(1, 30), []), ("none", hour(3), [hour(3)]),
            ("none", hour(1, 1), [hour(1)]),
        ]
        for (policy, now, expected) in cases {
            let schedule = try schedule(["catch_up": .string(policy), "overlap": "allow_all"])
            let plan = SchedulePlan(schedule, stored, now: now)
            let last = now.milliseconds / 3_600_000 * 3_600_000
            #expect(
                plan.starts == (policy == "all" ? [hour(1), hour(2), hour(3)] : expected),
                "\(policy) at \(now)")
            #expect(plan.record.lastOccurrence.milliseconds == last)
        }
        let plan = SchedulePlan(try schedule(), stored, now: hour(3, 30))
        #expect(plan.record.note?.hasPrefix("Missed:") == true)
    }

    @Test("a year of missed minutes is looked through at its end only, and at most 1,000 are caught up")
    func longOutage() throws {
        let schedule = try Schedule(["cron": "* * * * *", "catch_up": "all", "overlap": "allow_all"])
        let plan = SchedulePlan(schedule, record(last: hour(0)), now: hour(365 * 24))
        #expect(plan.starts.count == 1000 && plan.starts.last == hour(365 * 24))
        #expect(Set(plan.starts).count == 1000 && plan.starts == plan.starts.sorted())
        #expect(plan.record.note?.contains("more than 1000") == true)
        let rare = try Schedule(["cron": "0 0 29 2 *", "catch_up": "one"])
        let leap = SchedulePlan(rare, record(last: hour(0)), now: hour(7 * 366 * 24))
        #expect(leap.starts.count == 1)
    }

    @Test("a clock that went back fires nothing twice, and one that was far ahead does not end the schedule")
    func clockJumps() throws {
        let schedule = try schedule()
        let back = SchedulePlan(schedule, record(last: hour(10)), now: hour(8))
        #expect(back.starts.isEmpty && back.wakeAt == hour(11) && !back.changes(record(last: hour(10))))
        let wrong = SchedulePlan(schedule, record(last: hour(24 * 365 * 10)), now: hour(8, 5))
        #expect(wrong.starts.isEmpty && wrong.wakeAt == hour(9) && wrong.record.lastOccurrence == hour(8, 5))
        #expect(wrong.record.note?.contains("clock") == true)
    }

    @Test("a schedule that was removed and comes back starts from now, unless it was gone for a moment only")
    func withdrawn() throws {
        let gone = record(last: hour(0), pending: [hour(0)], withdrawnAt: hour(0, 30))
        let back = SchedulePlan(try schedule(), gone, now: hour(5, 30))
        #expect(back.starts.isEmpty && back.record.pending.isEmpty && back.wakeAt == hour(6))
        #expect(back.record.withdrawnAt == nil && back.changes(gone))
        let moment = record(last: hour(0), withdrawnAt: hour(0, 59))
        #expect(SchedulePlan(try schedule(), moment, now: hour(1)).starts == [hour(1)])
    }

    @Test(
        "jitter delays each occurrence by a time of its own, always the same, and never beyond the next one")
    func jitter() throws {
        let schedule = try schedule(["jitter": "30m"])
        let delays = (1...40).map { schedule.due(hour($0), of: "sch_1").milliseconds - hour($0).milliseconds }
        #expect(delays.allSatisfy { (0...1_800_000).contains($0) } && Set(delays).count > 30)
        #expect(delays[0] == schedule.due(hour(1), of: "sch_1").milliseconds - hour(1).milliseconds)
        #expect(schedule.due(hour(1), of: "sch_2") != schedule.due(hour(1), of: "sch_1"))
        let due = schedule.due(hour(1), of: "sch_1")
        let stored = record(last: hour(0))
        #expect(SchedulePlan(schedule, stored, now: due.adding(milliseconds: -1)).starts.isEmpty)
        #expect(SchedulePlan(schedule, stored, now: due).starts == [hour(1)])
        let dense = try Schedule(["every": "1s", "jitter": "1h"])
        for second in 0..<50 {
            let time = start.adding(milliseconds: Int64(second) * 1000)
            #expect(dense.due(time, of: "s") < time.adding(milliseconds: 1000))
        }
    }

    @Test("what overlaps is passed over, waits, or takes the other's place")
    func overlap() throws {
        func plan(_ overlap: String, pending: [Timestamp] = [], busy: Bool, now: Timestamp) throws
            -> SchedulePlan
        {
            let schedule = try schedule(["overlap": .string(overlap), "catch_up": "all"])
            return SchedulePlan(
                schedule, record(last: hour(0), pending: pending, open: busy ? ["run_1"] : []), now: now)
        }
        let skipped = try plan("skip", busy: true, now: hour(1))
        #expect(skipped.starts.isEmpty && skipped.record.pending.isEmpty)
        #expect(skipped.record.note?.contains("run_1 had not ended") == true)
        #expect(try plan("skip", busy: false, now: hour(3)).starts == [hour(1)])
        let one = try plan("buffer_one", busy: true, now: hour(3))
        #expect(one.starts.isEmpty && one.record.pending == [hour(1)] && one.record.note != nil)
        let all = try plan("buffer_all", busy: true, now: hour(3))
        #expect(all.record.pending == [hour(1), hour(2), hour(3)] && all.record.note == nil)
        let next = try plan("buffer_all", pending: [hour(-1), hour(0)], busy: false, now: hour(1))
        #expect(next.starts == [hour(-1)] && next.record.pending == [hour(0), hour(1)])
        let cancels = try plan("cancel_other", busy: true, now: hour(2))
        #expect(cancels.cancelsOthers && cancels.starts.isEmpty && cancels.record.pending == [hour(2)])
        let waits = try plan("cancel_other", pending: [hour(0)], busy: true, now: hour(0, 1))
        #expect(!waits.cancelsOthers && waits.record.pending == [hour(0)])
        #expect(
            try plan("cancel_other", pending: [hour(0)], busy: false, now: hour(0, 30)).starts == [hour(0)])
        let late = try plan("cancel_other", pending: [hour(-1)], busy: true, now: hour(0, 30))
        #expect(late.cancelsOthers && late.starts.isEmpty)
        let ends = try plan("terminate_other", busy: true, now: hour(2))
        #expect(ends.terminatesOthers && ends.starts == [hour(2)])
        #expect(try plan("allow_all", busy: true, now: hour(2)).starts == [hour(1), hour(2)])
    }

    @Test("at most 1,000 occurrences wait, and what is passed over is told")
    func fullBuffer() throws {
        let pending = (0..<1000).map { start.adding(milliseconds: Int64($0 - 2000)) }
        let plan = SchedulePlan(
            try schedule(["overlap": "buffer_all"]), record(last: hour(0), pending: pending, open: ["run_1"]),
            now: hour(1))
        #expect(plan.record.pending == pending && plan.record.note?.contains("buffer_all") == true)
    }
}
