import Perigee
import PerigeeJournal
import PerigeeSQLite
import PerigeeTesting
import Testing

@Suite("Schedules", .timeLimit(.minutes(5)))
struct ScheduleTests {
    private static let hour: Int64 = 3_600_000
    private static let nightly = script(
        "return { at = input.scheduled_for, last = input.last_scheduled_for, by = flow.run.trigger.type }",
        options: "on = { cron = \"0 2 * * *\", tz = \"Europe/Paris\" },")

    private func clock(_ text: String) throws -> ManualClock {
        ManualClock(now: try #require(Timestamp(rfc3339: text)))
    }

    private func hourly(_ options: String, body: String = "return input.scheduled_for") -> String {
        script(body, options: "on = { every = \"1h\", \(options) },")
    }

    /// A run that ends when an event names its time.
    private func waiting(_ overlap: String) -> String {
        hourly(
            "overlap = \"\(overlap)\"",
            body:
                "wait.event(\"Go\", { event = \"go\", match = { at = input.scheduled_for } }) return input.scheduled_for"
        )
    }

    @Test("a schedule fires on time, once, and tells its times", arguments: Setting.all)
    func fires(_ setting: Setting) async throws {
        let test = try TestHost(
            setting, scripts: ["night.lua": ScheduleTests.nightly], clock: try clock("2026-11-21T00:00:00Z"))
        try await test.run { test in
            try await test.schedulesSettle()
            test.clock.advance(milliseconds: ScheduleTests.hour)
            let first = try await test.end(try await test.scheduled(1)[0].id)
            #expect(first.result == ["at": "2026-11-21T02:00:00+01:00", "by": "schedule"])
            test.clock.advance(milliseconds: 24 * ScheduleTests.hour)
            let runs = try await test.scheduled(2)
            #expect(runs.count == 2)
            #expect(
                try await test.end(runs[1].id).result
                    == [
                        "at": "2026-11-22T02:00:00+01:00", "last": "2026-11-21T02:00:00+01:00",
                        "by": "schedule",
                    ])
            let trigger = try JSON(parsing: runs[1].trigger)
            #expect(trigger["cron"] == "0 2 * * *" && trigger["tz"] == "Europe/Paris")
            let info = try #require(try await test.host.schedules().first)
            #expect(info.sentence == "every day at 02:00, Europe/Paris" && info.next.count == 5)
            #expect(
                info.next[0] == "2026-11-23T02:00:00+01:00" && info.lastStarted == "2026-11-22T02:00:00+01:00"
            )
        }
    }

    @Test("an outage is caught up by the policy", arguments: Setting.all, ["one", "all", "none"])
    func outage(_ setting: Setting, _ policy: String) async throws {
        let scripts = ["hourly.lua": hourly("overlap = \"allow_all\", catch_up = \"\(policy)\"")]
        let clock = try clock("2026-11-21T00:30:00Z")
        let before = try TestHost(setting, scripts: scripts, clock: clock)
        try await before.run { test in try await test.schedulesSettle() }
        clock.advance(milliseconds: 3 * ScheduleTests.hour)
        let after = try TestHost(
            setting, scripts: [:], clock: clock, journal: setting.isSQLite ? nil : before.journal,
            folder: before.folder)
        try await after.run { test in
            let missed = policy == "all" ? ["01", "02", "03"] : policy == "one" ? ["03"] : []
            _ = try await test.scheduled(missed.count)
            try await test.schedulesSettle(at: Timestamp(rfc3339: "2026-11-21T03:00:00Z"))
            test.clock.advance(milliseconds: ScheduleTests.hour / 2)
            let times = try await test.scheduledTimes(missed.count + 1)
            #expect(times == (missed + ["04"]).map { "2026-11-21T\($0):00:00Z" })
        }
    }

    @Test(
        "where the clocks change a time that is left out comes after the gap, and one that is repeated once")
    func daylightSaving() async throws {
        // All that is due while the clock leaps is started in one transaction, so that one too many would be seen.
        let text = script(
            "return 1",
            options:
                "on = { cron = \"30 2 * * *\", tz = \"Europe/Paris\", catch_up = \"all\", overlap = \"allow_all\" },"
        )
        for (start, expected) in [
            ("2027-03-27T12:00:00Z", ["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"]),
            ("2026-10-24T12:00:00Z", ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]),
        ] {
            let test = try TestHost(scripts: ["night.lua": text], clock: try clock(start))
            try await test.run { test in
                try await test.schedulesSettle()
                test.clock.advance(milliseconds: 40 * ScheduleTests.hour)
                #expect(try await test.scheduledTimes(2) == expected)
            }
        }
    }

    @Test("with skip an occurrence is passed over while an earlier run has not ended", arguments: Setting.all)
    func skip(_ setting: Setting) async throws {
        let test = try TestHost(
            setting, scripts: ["hourly.lua": waiting("skip")], clock: try clock("2026-11-21T00:30:00Z"))
        try await test.run { test in
            let first = try await test.firstRun()
            test.clock.advance(milliseconds: ScheduleTests.hour)
            try await test.schedulesSettle(at: Timestamp(rfc3339: "2026-11-21T02:00:00Z"))
            #expect(try await test.host.schedules()[0].note?.contains("\(first.id) had not ended") == true)
            try await test.letGo("01")
            test.clock.advance(milliseconds: ScheduleTests.hour)
            #expect(
                try await test.scheduledTimes(2) == ["2026-11-21T01:00:00Z", "2026-11-21T03:00:00Z"])
        }
    }

    @Test(
        "buffered occurrences start one after the other", arguments: Setting.all,
        ["buffer_one", "buffer_all"])
    func buffer(_ setting: Setting, _ policy: String) async throws {
        let test = try TestHost(
            setting, scripts: ["hourly.lua": waiting(policy)], clock: try clock("2026-11-21T00:30:00Z"))
        try await test.run { test in
            _ = try await test.firstRun()
            for hour in ["02", "03"] {
                test.clock.advance(milliseconds: ScheduleTests.hour)
                try await test.schedulesSettle(at: Timestamp(rfc3339: "2026-11-21T\(hour):00:00Z"))
            }
            let pending = try await test.host.schedules()[0].pending
            #expect(pending.count == (policy == "buffer_one" ? 1 : 2))
            try await test.letGo("01")
            _ = try await test.run(try await test.scheduled(2)[1].id, reaches: .waiting)
            try await test.letGo("02")
            if policy == "buffer_all" {
                #expect(try await test.scheduledTimes(3)[2] == "2026-11-21T03:00:00Z")
            } else {
                test.clock.advance(milliseconds: ScheduleTests.hour)
                #expect(try await test.scheduledTimes(3)[2] == "2026-11-21T04:00:00Z")
            }
        }
    }

    @Test(
        "the newest takes the place of the others, or runs beside them", arguments: Setting.all,
        ["cancel_other", "terminate_other", "allow_all"])
    func others(_ setting: Setting, _ policy: String) async throws {
        let test = try TestHost(
            setting, scripts: ["hourly.lua": waiting(policy)], clock: try clock("2026-11-21T00:30:00Z"))
        try await test.run { test in
            let first = try await test.firstRun()
            test.clock.advance(milliseconds: ScheduleTests.hour)
            let second = try await test.scheduled(2)[1]
            _ = try await test.run(second.id, reaches: .waiting)
            let status = try await test.host.run(id: first.id).status
            let expected: [String: RunStatus] = ["cancel_other": .cancelled, "terminate_other": .terminated]
            #expect(status == expected[policy] ?? .waiting)
            try await test.letGo("02")
            #expect(try await test.end(second.id).result == "2026-11-21T02:00:00Z")
        }
    }

    @Test("a run that needs attention does not hold up its schedule", arguments: Setting.all)
    func attention(_ setting: Setting) async throws {
        let test = try TestHost(
            setting, scripts: ["hourly.lua": hourly("", body: "error(\"no\")")],
            clock: try clock("2026-11-21T00:30:00Z"))
        try await test.run { test in
            try await test.schedulesSettle()
            for count in 1...2 {
                test.clock.advance(milliseconds: ScheduleTests.hour)
                let run = try await test.scheduled(count)[count - 1]
                #expect(try await test.end(run.id).status == .attention)
            }
        }
    }

    @Test("a clock that goes back fires nothing twice, and one that leaps ahead counts as an outage")
    func clockJumps() async throws {
        let test = try TestHost(
            scripts: ["hourly.lua": hourly("")], clock: try clock("2026-11-21T00:30:00Z"))
        try await test.run { test in
            try await test.schedulesSettle()
            test.clock.advance(milliseconds: ScheduleTests.hour)
            _ = try await test.end(try await test.scheduled(1)[0].id)
            test.clock.advance(milliseconds: -ScheduleTests.hour)
            test.clock.advance(milliseconds: ScheduleTests.hour)
            test.clock.advance(milliseconds: 5 * ScheduleTests.hour)
            _ = try await test.end(try await test.scheduled(2)[1].id)
            test.clock.advance(milliseconds: ScheduleTests.hour)
            #expect(
                try await test.scheduledTimes(3) == [
                    "2026-11-21T01:00:00Z", "2026-11-21T06:00:00Z", "2026-11-21T07:00:00Z",
                ])
        }
    }

    @Test("two hosts on one store fire each occurrence once")
    func twoHosts() async throws {
        let clock = try clock("2026-11-21T00:30:00Z")
        let journal = MemoryJournal()
        let scripts = ["hourly.lua": hourly("overlap = \"allow_all\"")]
        let first = try TestHost(scripts: scripts, clock: clock, journal: journal)
        let second = try TestHost(scripts: scripts, clock: clock, journal: journal)
        try await first.run { one in
            try await second.run { two in
                try await one.schedulesSettle()
                for count in 1...20 {
                    clock.advance(milliseconds: ScheduleTests.hour)
                    _ = try await one.scheduled(count)
                }
                #expect(Set(try await one.scheduledTimes(20)).count == 20)
            }
        }
    }

    @Test("a schedule goes on when its script is saved with a fault, and starts from now when it is changed")
    func reload() async throws {
        let test = try TestHost(
            scripts: ["hourly.lua": hourly("")], clock: try clock("2026-11-21T00:30:00Z"))
        try await test.run { test in
            try await test.schedulesSettle()
            try await test.save("return workflow {") { if case .scriptRefused = $0 { true } else { false } }
            test.clock.advance(milliseconds: ScheduleTests.hour)
            _ = try await test.end(try await test.scheduled(1)[0].id)
            let old = try await test.host.schedules()[0].id
            try await test.save(hourly("").replacing("1h", with: "10m")) {
                if case .scriptLoaded = $0 { true } else { false }
            }
            let new = try await test.host.schedules()[0].id
            #expect(new != old)
            try await test.stored { records in
                records.contains { $0.id == new }
                    && records.contains { $0.id == old && $0.withdrawnAt != nil }
            }
            #expect(try await test.scheduled(1).count == 1)
            test.clock.advance(milliseconds: ScheduleTests.hour / 6)
            #expect(try await test.scheduledTimes(2).count == 2)
        }
    }
}

extension TestHost {
    /// Waits until every schedule is stored, and has come to a moment.
    fileprivate func schedulesSettle(at moment: Timestamp? = nil) async throws {
        try await stored { records in
            !records.isEmpty
                && (moment.map { moment in records.allSatisfy { $0.lastOccurrence == moment } } ?? true)
        }
    }

    fileprivate func stored(_ condition: ([ScheduleRecord]) -> Bool) async throws {
        while !condition(try await journal.schedules(namespace: "default")) {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    /// The runs of schedules, oldest first, once there are so many.
    fileprivate func scheduled(_ count: Int) async throws -> [RunRecord] {
        while true {
            let runs = try await host.runs(RunQuery(namespace: "default", limit: 500)).runs
            if runs.count >= count { return runs.reversed() }
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    fileprivate func scheduledTimes(_ count: Int) async throws -> [String] {
        try await scheduled(count).compactMap { try JSON(parsing: $0.input)["scheduled_for"]?.string }
            .sorted()
    }

    /// Comes to 01:30, where the first hourly run waits.
    fileprivate func firstRun() async throws -> RunRecord {
        try await schedulesSettle()
        clock.advance(milliseconds: 3_600_000)
        return try await run(try await scheduled(1)[0].id, reaches: .waiting)
    }

    /// Ends the run of an hour.
    fileprivate func letGo(_ hour: String) async throws {
        let time = "2026-11-21T\(hour):00:00Z"
        _ = try await send("go", ["at": .string(time)])
        let runs = try await scheduled(1)
        let run = try runs.first { try JSON(parsing: $0.input)["scheduled_for"] == .string(time) }
        _ = try await end(try #require(run).id)
    }

    /// Saves the script and lets the host look at it until it says something about it.
    fileprivate func save(_ text: String, until isIt: (HostActivity) -> Bool) async throws {
        let activity = host.activity()
        try TestHost.write(text, to: "hourly.lua", in: scripts)
        clock.advance(milliseconds: 1000)
        for await event in activity {
            if isIt(event) { return }
            clock.advance(milliseconds: 1000)
        }
    }
}
