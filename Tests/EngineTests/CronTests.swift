import Foundation
@testable import Perigee
import PerigeeJournal
import Testing

@Suite("Cron", .timeLimit(.minutes(5)))
struct CronTests {
    private struct Vectors: Decodable {
        struct Case: Decodable {
            var expression: String
            var timezone: String
            var after: String
            var next: [String]
        }

        var cases: [Case]
        var invalid: [String]
    }

    private func vectors() throws -> Vectors {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Vectors/cron/next.json")
        return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file))
    }

    private func times(_ text: String, _ zone: String, after: String, count: Int) throws -> [String] {
        let expression = try CronExpression(text)
        let zone = try #require(ScheduleZone(zone))
        var time = try #require(Timestamp(rfc3339: after))
        return try (0..<count).map { _ in
            time = try #require(expression.next(after: time, in: zone))
            return zone.text(time)
        }
    }

    @Test("every vector of an independent implementation passes")
    func nextTimes() throws {
        let cases = try vectors().cases
        #expect(cases.count > 200)
        for one in cases {
            let got = try times(one.expression, one.timezone, after: one.after, count: one.next.count)
            let expected = one.next.map { one.timezone == "UTC" ? $0.replacing("+00:00", with: "Z") : $0 }
            #expect(got == expected, "\(one.expression) in \(one.timezone) after \(one.after)")
        }
    }

    @Test("what is no expression is refused with a sentence and a next step")
    func invalid() throws {
        let texts =
            try vectors().invalid + [
                "*/61 * * * *", "1,,2 * * * *", "1-2-3 * * * *", "- * * * *", "* * 0W * *", "* * * * 8L",
                "* * * * L",
                "* * * * 1#", "* * * * #1", "0 0 30 feb *", "0 0 31 4,6,9,11 *", "@reboot", "@every 5m",
                "٣ * * * *",
                "+5 * * * *", String(repeating: "1,", count: 200) + "1 * * * *",
            ]
        for text in texts {
            let fault = #expect(throws: CronFault.self, "\(text)") { try CronExpression(text) }
            #expect(fault.map { $0.message.hasSuffix(".") && !$0.hint.isEmpty } == true, "\(text)")
        }
    }

    @Test(
        "other dialects are told how to write it here",
        arguments: [
            ("0 0 12 ? * MON", "Write `*`"), ("0 0 2 * * *", "\"0 2 * * *\""),
            ("0 0 2 * * * 2027", "\"0 2 * * *\""),
            ("CRON_TZ=Europe/Paris 0 2 * * *", "tz ="), ("*/90 * * * *", "every = \"90m\""),
            ("0 22-2 * * *", "\"22-23,0-2\""),
        ])
    func hints(_ text: String, _ hint: String) {
        let fault = #expect(throws: CronFault.self) { try CronExpression(text) }
        #expect(fault?.hint.contains(hint) == true, "\(fault?.hint ?? "")")
    }

    @Test(
        "days of the month and of the week in every form",
        arguments: [
            ("0 0 15W * *", ["2026-11-16", "2026-12-15", "2027-01-15"]),
            (
                "0 0 1W * *",
                ["2026-12-01", "2027-01-01", "2027-02-01", "2027-03-01", "2027-04-01", "2027-05-03"]
            ),
            ("0 0 31W * *", ["2026-12-31", "2027-01-29"]),
            ("0 0 LW * *", ["2026-11-30", "2026-12-31", "2027-01-29"]),
            ("0 0 1,L * *", ["2026-11-30", "2026-12-01", "2026-12-31"]),
            ("0 0 * * fri#2,monL", ["2026-11-13", "2026-11-30", "2026-12-11", "2026-12-28"]),
            ("0 0 * * fri-sun", ["2026-11-13", "2026-11-14", "2026-11-15", "2026-11-20"]),
            (
                "0 0 13 * fri",
                ["2026-11-13", "2026-11-20", "2026-11-27", "2026-12-04", "2026-12-11", "2026-12-13"]
            ),
            ("0 0 */2 * 1", ["2026-11-23", "2026-12-07"]), ("0 0 29 2 */7", ["2032-02-29", "2060-02-29"]),
            ("@monthly", ["2026-12-01"]), ("0 0 5/10 * *", ["2026-11-15", "2026-11-25", "2026-12-05"]),
        ])
    func days(_ text: String, _ expected: [String]) throws {
        let got = try times(text, "UTC", after: "2026-11-12T12:00:00Z", count: expected.count)
        #expect(got == expected.map { $0 + "T00:00:00Z" })
    }

    @Test("a time that the clocks leave out comes right after the gap, and one that comes twice comes once")
    func daylightSaving() throws {
        #expect(
            try times("30 2 * * *", "Europe/Paris", after: "2027-03-27T12:00:00Z", count: 2)
                == ["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"])
        #expect(
            try times("10,50 2 * * *", "Europe/Paris", after: "2027-03-27T12:00:00Z", count: 2)
                == ["2027-03-28T03:00:00+02:00", "2027-03-29T02:10:00+02:00"])
        #expect(
            try times("30 2 * * *", "Europe/Paris", after: "2026-10-24T12:00:00Z", count: 2)
                == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"])
        // From within the second of two equal hours, where the first one has passed.
        #expect(
            try times("45 2 * * *", "Europe/Paris", after: "2026-10-25T02:30:00+01:00", count: 1)
                == ["2026-10-26T02:45:00+01:00"])
    }

    @Test("zones go by their names, links too, and offsets are none")
    func zones() {
        for name in ["Europe/Paris", "US/Eastern", "UTC", "Etc/UTC", "America/Argentina/Buenos_Aires"] {
            #expect(ScheduleZone(name) != nil, "\(name)")
        }
        for name in ["", "Europe/Nowhere", "GMT+2", "UTC-3", "+02:00", "europe", "Mars"] {
            #expect(ScheduleZone(name) == nil, "\(name)")
        }
    }

    @Test("sentences for people")
    func sentences() throws {
        let known: [(String, String?)] = [
            ("0 2 * * *", "every day at 02:00"), ("30 9 * * 1-5", "Monday to Friday at 09:30"),
            ("*/15 * * * *", "every 15 minutes"), ("5 * * * *", "every hour at minute 5"),
            ("0 7 * * sun", "every Sunday at 07:00"), ("* * * * *", "every minute"), ("0 0 1 * *", nil),
            ("*/7 * * * *", nil),
        ]
        for (text, sentence) in known { #expect(try CronExpression(text).sentence == sentence, "\(text)") }
    }

    // MARK: Any expression

    private struct Random: RandomNumberGenerator {
        var stream: SeededRandom

        mutating func next() -> UInt64 { stream.next() }
    }

    private struct Maker {
        var random: Random
        static let zones = [
            "UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo",
            "America/Havana",
            "Asia/Kathmandu", "Pacific/Chatham", "Africa/Casablanca", "America/St_Johns",
        ]

        mutating func pick<Value>(_ values: [Value]) -> Value {
            values[Int.random(in: values.indices, using: &random)]
        }

        mutating func field(_ low: Int, _ high: Int) -> String {
            let first = Int.random(in: low...high, using: &random)
            let second = Int.random(in: first...high, using: &random)
            let step = Int.random(in: 1...(high - low + 1), using: &random)
            return pick([
                "*", "*", "\(first)", "\(first)-\(second)", "*/\(step)", "\(first),\(second)",
                "\(first)/\(step)",
            ])
        }

        mutating func expression() -> String {
            let day = pick([field(1, 31), "*", "L", "LW", "\(Int.random(in: 1...28, using: &random))W"])
            let weekday = pick([field(0, 7), "*", "5L", "mon#1", "sun-tue"])
            return "\(field(0, 59)) \(field(0, 23)) \(day) \(field(1, 12)) \(weekday)"
        }
    }

    @Test(arguments: (0..<3).map { _ in UInt64.random(in: 0...UInt64(UInt32.max)) })
    func `the next time is later, nothing lies between, and the clocks show it`(seed: UInt64) throws {
        print("PERIGEE_SEED=\(seed)")
        var maker = Maker(random: Random(stream: SeededRandom(run: "\(seed)")))
        for _ in 0..<300 {
            let text = maker.expression()
            guard let expression = try? CronExpression(text) else { continue }
            let name = maker.pick(Maker.zones)
            let zone = try #require(ScheduleZone(name))
            let start = 1_760_000_000_000 + Int64.random(in: 0...100_000_000_000, using: &maker.random)
            let after = Timestamp(milliseconds: start)
            let next = try #require(expression.next(after: after, in: zone), "\(text)")
            let what: Comment = "seed \(seed): \(text) in \(name) after \(after)"
            #expect(next > after && next.milliseconds % 60_000 == 0, what)
            // From anywhere before it, it is the same one.
            let between = Int64.random(in: after.milliseconds..<next.milliseconds, using: &maker.random)
            #expect(expression.next(after: Timestamp(milliseconds: between), in: zone) == next, what)
            #expect(expression.next(after: next.adding(milliseconds: -1), in: zone) == next, what)
            let local = next.milliseconds / 1000 + zone.offset(at: next.milliseconds / 1000)
            let isShown =
                expression.minutes & 1 << UInt64(local / 60 % 60) != 0
                && expression.hours & 1 << UInt64(local / 3600 % 24) != 0
            let isAfterGap =
                zone.offset(at: next.milliseconds / 1000 - 1) < zone.offset(at: next.milliseconds / 1000)
            #expect(isShown || !expression.isWildcard && isAfterGap, what)
        }
    }
}
