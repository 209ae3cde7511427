import Perigee
import PerigeeJournal
import Testing

@Suite("flow.time", .timeLimit(.minutes(5)))
struct FlowTimeTests {
    private let paris = "{ zone = 'Europe/Paris' }"

    @Test("reads times, and local ones in their zone")
    func parse() async throws {
        try await Evaluation.expect([
            ("flow.time.parse('2026-09-21T14:13:20+02:00')", "2026-09-21T12:13:20.000Z"),
            ("flow.time.parse('2026-09-21 14:13:20Z')", "2026-09-21T14:13:20.000Z"),
            ("flow.time.parse('2026-09-21', \(paris))", "2026-09-20T22:00:00.000Z"),
            ("flow.time.parse('2026-12-21 09:30', \(paris))", "2026-12-21T08:30:00.000Z"),
            ("flow.time.parse('2026-12-21T09:30:15.0625', \(paris))", "2026-12-21T08:30:15.062Z"),
            (
                "flow.time.parse('31.12.2026', { pattern = '%d.%m.%Y', zone = 'UTC' })",
                "2026-12-31T00:00:00.000Z"
            ),
            (
                "flow.time.parse('Mar 7, 26 at 12:05 am%', { pattern = '%b %d, %y at %I:%M %p%%', zone = 'UTC' })",
                "2026-03-07T00:05:00.000Z"
            ),
            (
                "flow.time.parse('7 september 1970 12 PM', { pattern = '%d %B %Y %I %p', zone = 'UTC' })",
                "1970-09-07T12:00:00.000Z"
            ),
            (
                "flow.time.parse('20260921T141320', { pattern = '%Y%m%dT%H%M%S', zone = 'Asia/Kolkata' })",
                "2026-09-21T08:43:20.000Z"
            ),
        ])
    }

    @Test("takes the first of two local times, and moves one that does not exist forward")
    func daylight() async throws {
        try await Evaluation.expect([
            ("flow.time.parse('2026-03-29 02:30', \(paris))", "2026-03-29T01:30:00.000Z"),
            (
                "flow.time.format(flow.time.parse('2026-03-29 02:30', \(paris)), '%H:%M', 'Europe/Paris')",
                "03:30"
            ),
            ("flow.time.parse('2026-10-25 02:30', \(paris))", "2026-10-25T00:30:00.000Z"),
            ("flow.time.parse('2026-10-25 03:00', \(paris))", "2026-10-25T02:00:00.000Z"),
            // Midnight does not exist: the day begins at one.
            ("flow.time.start_of('2026-04-24T12:00:00Z', 'day', 'Africa/Cairo')", "2026-04-23T22:00:00.000Z"),
            (
                "flow.time.parse('2026-04-05 01:45', { zone = 'Australia/Lord_Howe' })",
                "2026-04-04T14:45:00.000Z"
            ),
            (
                "flow.time.add('2026-03-28T11:00:00Z', { days = 1 }, 'Europe/Paris')",
                "2026-03-29T10:00:00.000Z"
            ),
            ("flow.time.add('2026-03-28T11:00:00Z', '1d')", "2026-03-29T11:00:00.000Z"),
        ])
    }

    @Test("writes times for people in their zone")
    func format() async throws {
        try await Evaluation.expect([
            (
                "flow.time.format('2026-09-21T14:13:20Z', '%d.%m.%Y %H:%M %z %Z', 'Europe/Paris')",
                "21.09.2026 16:13 +0200 Europe/Paris"
            ),
            (
                "flow.time.format('2026-09-21T14:13:20Z', '%A, %B %e at %I:%M %p %z')",
                "Monday, September 21 at 02:13 PM +0000"
            ),
            (
                "flow.time.format('2026-01-21T14:13:20Z', '%F %T %z', 'America/St_Johns')",
                "2026-01-21 10:43:20 -0330"
            ),
            ("flow.time.format('2026-01-21', '%F %R', 'Asia/Tokyo')", "2026-01-21 00:00"),
            ("flow.time.date('2026-09-21T23:30:00Z', 'Europe/Paris')", "2026-09-22"),
            ("flow.time.weekday('2026-09-21T23:30:00Z', 'Europe/Paris')", "Tuesday"),
            ("flow.time.weekday('2026-09-21', 'Europe/Paris')", "Monday"),
            (
                "flow.time.parts('2026-09-20T22:13:20.5Z', 'Europe/Paris')",
                [
                    "year": 2026, "month": 9, "day": 21, "hour": 0, "minute": 13, "second": 20,
                    "millisecond": 500,
                    "weekday": 1, "yearday": 264, "offset": 7200,
                ]
            ),
            ("flow.time.date('1969-12-31T23:59:59.999Z')", "1969-12-31"),
        ])
    }

    @Test("counts on, and between times")
    func arithmetic() async throws {
        try await Evaluation.expect([
            ("flow.time.add('2026-09-21T14:00:00Z', '-1h30m')", "2026-09-21T12:30:00.000Z"),
            ("flow.time.add('2026-01-31T14:00:00Z', { months = 1 })", "2026-02-28T14:00:00.000Z"),
            (
                "flow.time.add('2024-02-29T00:00:00Z', { years = 1, days = 1, hours = 2 })",
                "2025-03-01T02:00:00.000Z"
            ),
            (
                "flow.time.add('2026-03-31T00:00:00Z', { months = -13, weeks = 1, minutes = -1, seconds = 30 })",
                "2025-03-06T23:59:30.000Z"
            ),
            ("flow.time.add('2026-03-01', { months = 1 }, 'Europe/Paris')", "2026-03-31T22:00:00.000Z"),
            ("flow.time.diff('2026-09-21T14:00:00Z', '2026-09-21T13:59:58.5Z')", 1.5),
            ("math.type(flow.time.diff('2026-09-21T14:00:00Z', '2026-09-21T13:00:00Z'))", "integer"),
            ("flow.time.diff('2026-09-20T13:00:00Z', '2026-09-21T13:00:00Z', 'h')", -24),
            ("flow.time.diff('2026-09-21T12:00:00Z', '2026-09-20T00:00:00Z', 'd')", 1.5),
            ("flow.time.days_between('2026-09-21T21:00:00Z', '2026-09-21T23:00:00Z', 'Europe/Paris')", 1),
            ("flow.time.days_between('2026-03-01', '2026-04-01', 'Europe/Paris')", 31),
            ("flow.time.days_between('2026-09-21T23:00:00Z', '2026-09-20T01:00:00Z')", -1),
            ("flow.time.is_before('2026-09-21T14:00:00+02:00', '2026-09-21T13:00:00Z')", true),
            ("flow.time.is_after('2026-09-21T14:00:00+02:00', '2026-09-21T13:00:00Z')", false),
            ("flow.time.is_after('2026-09-21T14:00:00Z', '2026-09-21T14:00:00Z')", false),
            ("flow.time.epoch('2026-09-21T14:13:20Z')", 1_790_000_000),
            ("flow.time.epoch('1970-01-01T00:00:00.25Z')", 0.25),
            ("flow.time.from_epoch(1790000000)", "2026-09-21T14:13:20.000Z"),
            ("flow.time.from_epoch(-0.5)", "1969-12-31T23:59:59.500Z"),
            ("flow.time.seconds('1h30m')", 5400), ("flow.time.seconds('1500ms')", 1.5),
        ])
    }

    @Test("finds where days, weeks, months, quarters and years begin")
    func starts() async throws {
        let time = "'2026-08-19T22:30:00Z'"
        try await Evaluation.expect([
            ("flow.time.start_of(\(time), 'day')", "2026-08-19T00:00:00.000Z"),
            ("flow.time.start_of(\(time), 'day', 'Europe/Paris')", "2026-08-19T22:00:00.000Z"),
            ("flow.time.start_of(\(time), 'week')", "2026-08-17T00:00:00.000Z"),
            ("flow.time.start_of('2026-08-17T00:00:00Z', 'week')", "2026-08-17T00:00:00.000Z"),
            ("flow.time.start_of(\(time), 'month', 'Europe/Paris')", "2026-07-31T22:00:00.000Z"),
            ("flow.time.start_of(\(time), 'quarter')", "2026-07-01T00:00:00.000Z"),
            ("flow.time.start_of(\(time), 'year', 'Europe/Paris')", "2025-12-31T23:00:00.000Z"),
        ])
    }

    @Test("knows business days, with holidays")
    func business() async throws {
        let days = "{ '2026-12-25', '2026-12-28' }"
        try await Evaluation.expect([
            ("flow.time.is_business_day('2026-09-25', 'UTC')", true),
            ("flow.time.is_business_day('2026-09-26', 'UTC')", false),
            ("flow.time.is_business_day('2026-12-25', 'UTC', \(days))", false),
            ("flow.time.is_business_day('2026-09-25T22:30:00Z', 'Europe/Paris')", false),
            ("flow.time.add_business_days('2026-09-25T10:00:00Z', 1)", "2026-09-28T10:00:00.000Z"),
            (
                "flow.time.add_business_days('2026-12-24T10:00:00Z', 1, 'UTC', \(days))",
                "2026-12-29T10:00:00.000Z"
            ),
            (
                "flow.time.add_business_days('2026-12-29T10:00:00Z', -1, 'UTC', \(days))",
                "2026-12-24T10:00:00.000Z"
            ),
            ("flow.time.add_business_days('2026-09-26T10:00:00Z', 0)", "2026-09-28T10:00:00.000Z"),
            ("flow.time.add_business_days('2026-09-28T10:00:00Z', 0)", "2026-09-28T10:00:00.000Z"),
            (
                "flow.time.add_business_days('2026-10-23T08:00:00Z', 1, 'Europe/Paris')",
                "2026-10-26T09:00:00.000Z"
            ),
        ])
    }

    @Test("says what is no time, no zone or no amount")
    func wrong() async throws {
        try await Evaluation.expectErrors([
            (
                "flow.time.parse('2026-09-21 09:00')", "PG1075",
                "\"2026-09-21 09:00\" is a local time, and there is no zone"
            ),
            ("flow.time.is_before('2026-09-21', '2026-09-21T00:00:00Z')", "PG1075", "flow.time.is_before"),
            ("flow.time.weekday('2026-09-21')", "PG1075", "Give a zone"),
            ("flow.time.days_between('2026-09-21', '2026-09-22')", "PG1075", "flow.time.days_between"),
            ("flow.time.parse('2026-02-29', \(paris))", "PG1013", "the month has no such day"),
            ("flow.time.parse('2026-13-01', \(paris))", "PG1013", "there is no such month"),
            ("flow.time.parse('2026-12-01 24:00', \(paris))", "PG1013", "a day has no such hour"),
            ("flow.time.parse('tomorrow', \(paris))", "PG1013", "flow.time.parse: \"tomorrow\" is no time"),
            ("flow.time.parse('')", "PG1013", "\"\" is no time"),
            (#"flow.time.parse("\xff")"#, "PG1013", "text that is no UTF-8"),
            ("flow.time.parse(('9'):rep(3000000))", "PG1013", "…"),
            (
                "flow.time.parse('1/2', { pattern = '%d.%m', zone = 'UTC' })", "PG1013",
                "by the pattern \"%d.%m\""
            ),
            ("flow.time.parse('1.2', { pattern = '%d.%m', zone = 'UTC' })", "PG1013", "it has no year"),
            ("flow.time.parse('2026x', { pattern = '%Y', zone = 'UTC' })", "PG1013", "by the pattern"),
            ("flow.time.parse('13 PM 2026', { pattern = '%I %p %Y', zone = 'UTC' })", "PG1013", "half a day"),
            ("flow.time.parse('1', { pattern = '%Q', zone = 'UTC' })", "PG1011", "has `%Q`"),
            (
                "flow.time.date('2026-09-21T00:00:00Z', 'Europe/Pariss')", "PG1013",
                "Did you mean \"Europe/Paris\"?"
            ),
            (
                "flow.time.date('2026-09-21T00:00:00Z', 'Mars')", "PG1013",
                "flow.time.date: \"Mars\" is no time zone"
            ),
            ("flow.time.date(5)", "PG1011", "flow.time.date: `time` is a number"),
            (
                "flow.time.format('2026-09-21T00:00:00Z', '%Q')", "PG1011",
                "`%Q` in the pattern is no conversion"
            ),
            ("flow.time.add('2026-09-21T00:00:00Z', 3)", "PG1013", "the bare number 3"),
            ("flow.time.add('2026-09-21T00:00:00Z', '3 days')", "PG1013", "is no duration"),
            ("flow.time.add('2026-09-21T00:00:00Z', { day = 3 })", "PG1005", "Did you mean `days`?"),
            (
                "flow.time.add('2026-09-21T00:00:00Z', { days = 1.5 })", "PG1011",
                "it should be a whole number"
            ),
            ("flow.time.add('2026-09-21T00:00:00Z', { days = math.mininteger })", "PG1011", "flow.time.add"),
            ("flow.time.add('9999-12-31T00:00:00Z', '1w')", "PG1076", "between the years 1 and 9999"),
            (
                "flow.time.add('2026-12-31T00:00:00Z', { years = -2026 })", "PG1076",
                "between the years 1 and 9999"
            ),
            (
                "flow.time.diff('2026-09-21T00:00:00Z', '2026-09-21T00:00:00Z', 'y')", "PG1011",
                "`y` is no unit"
            ),
            ("flow.time.start_of('2026-09-21T00:00:00Z', 'hour')", "PG1011", "`hour` is no unit"),
            ("flow.time.from_epoch(0/0)", "PG1011", "no real number"),
            ("flow.time.from_epoch(1e14)", "PG1076", "years"),
            (
                "flow.time.is_business_day('2026-09-21', 'UTC', { 5 })", "PG1011",
                "the holidays are not all dates"
            ),
            ("flow.time.add_business_days('2026-09-21T00:00:00Z', 10001)", "PG1011", "10,000 days"),
        ])
    }

    @Test("works with flow.now() and flow.today()")
    func now() async throws {
        try await Evaluation.expect([
            ("flow.time.parse(flow.now()) == flow.now()", true),
            ("flow.time.date(flow.now(), 'Asia/Tokyo') == flow.today('Asia/Tokyo')", true),
            ("flow.time.start_of(flow.today('Asia/Tokyo'), 'day', 'Asia/Tokyo')", "2026-09-20T15:00:00.000Z"),
        ])
    }
}
