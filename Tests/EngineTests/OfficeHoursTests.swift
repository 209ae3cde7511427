import Foundation
import Perigee
import PerigeeJournal
import Testing

@Suite("Office hours")
struct OfficeHoursTests {
    private func time(_ text: String) throws -> Timestamp {
        try #require(Timestamp(rfc3339: text))
    }

    @Test(
        "let time pass only while somebody works",
        arguments: [
            // A Friday afternoon and a weekend.
            ("2026-09-18T15:00:00Z", 3_600_000, "2026-09-18T16:00:00.000Z"),
            ("2026-09-18T16:00:00Z", 7_200_000, "2026-09-21T09:00:00.000Z"),
            // What is asked at night begins in the morning.
            ("2026-09-21T01:00:00Z", 60_000, "2026-09-21T08:01:00.000Z"),
            // Exactly a day's work ends with the day.
            ("2026-09-21T08:00:00Z", 32_400_000, "2026-09-21T17:00:00.000Z"),
            ("2026-09-21T08:00:00Z", 32_400_001, "2026-09-22T08:00:00.001Z"),
            // Summer time ends on 25 October: the hours move by one in UTC.
            ("2026-10-23T16:30:00Z", 3_600_000, "2026-10-26T09:30:00.000Z"),
            ("2026-09-21T08:00:00Z", 0, "2026-09-21T08:00:00.000Z"),
        ] as [(String, Int64, String)])
    func passes(start: String, milliseconds: Int64, expected: String) throws {
        let hours = try OfficeHours(parsing: "Mon-Fri 09:00-18:00 Europe/London")
        let moment = hours.moment(after: milliseconds, from: try time(start))
        #expect(moment?.description == expected)
    }

    @Test("count an hour that comes twice two times, and one that is left out not at all")
    func changes() throws {
        let night = try OfficeHours(parsing: "Sun 01:00-02:00 Europe/London")
        // 2026-10-25: 01:00 to 02:00 happens twice; 2026-03-29: never.
        let autumn = night.moment(after: 7_200_000, from: try time("2026-10-24T12:00:00Z"))
        #expect(autumn?.description == "2026-10-25T02:00:00.000Z")
        let spring = night.moment(after: 60_000, from: try time("2026-03-28T12:00:00Z"))
        #expect(spring?.description == "2026-04-05T00:01:00.000Z")
    }

    @Test("that are open ten minutes a week reach no moment that is eleven years away")
    func horizon() throws {
        let hours = try OfficeHours(parsing: "Sun 01:00-01:10 UTC")
        let start = try time("2026-01-01T00:00:00Z")
        #expect(hours.moment(after: 500 * 600_000, from: start) != nil)
        #expect(hours.moment(after: 600 * 600_000, from: start) == nil)
    }

    @Test(
        "that can't be understood say which part",
        arguments: [
            ("9-5 UTC", "days, times and a time zone"), ("", "0 parts"),
            ("Mon-Fri 09:00-18:00", "2 parts"), ("Mon-Fry 09:00-18:00 UTC", "\"Fry\" is no day"),
            ("Mon-Tue-Wed 09:00-18:00 UTC", "no range of days"), ("Mon, 09:00-18:00 UTC", "is no day"),
            ("Mon 9-18 UTC", "\"9-18\" is no range of times"),
            ("Mon 18:00-09:00 UTC", "ends before it begins"),
            ("Mon 09:60-10:00 UTC", "no range of times"), ("Mon 09:00-24:01 UTC", "no range of times"),
            ("Mon 09:00-12:00,11:00-13:00 UTC", "overlap"), ("Mon 09:00-10:00 GMT+2", "no time zone"),
            ("Mon 09:00-10:00 Europe/Atlantis", "\"Europe/Atlantis\" is no time zone"),
        ])
    func refusals(text: String, reason: String) {
        let fault = #expect(throws: OfficeHours.Fault.self) { try OfficeHours(parsing: text) }
        #expect(fault?.message.contains(reason) == true, "\(fault?.message ?? "")")
    }

    @Test(
        "agree with a walk over every minute of the calendar, in any zone and over any change of the clocks")
    func property() throws {
        let seed =
            ProcessInfo.processInfo.environment["PERIGEE_SEED"].flatMap(UInt64.init)
            ?? UInt64.random(in: 0 ... .max)
        print("PERIGEE_SEED=\(seed)")
        var random = Numbers(state: seed)
        let zones = [
            "Europe/London", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata",
            "America/St_Johns", "Pacific/Chatham", "UTC", "America/Santiago",
        ]
        let texts = [
            "Mon-Fri 09:00-18:00", "Sat-Mon 00:00-03:30,22:00-24:00", "Sun 01:00-03:00",
            "Mon-Sun 00:00-24:00",
        ]
        // Weeks in which clocks are changed somewhere.
        let weeks: [Int64] = [1_774_400_000, 1_772_900_000, 1_792_800_000, 1_793_300_000, 1_775_200_000]
        for _ in 0..<40 {
            let zone = zones.randomElement(using: &random) ?? "UTC"
            let text = "\(texts.randomElement(using: &random) ?? "") \(zone)"
            let week = weeks.randomElement(using: &random) ?? 0
            let start = (week + Int64.random(in: 0..<500_000, using: &random)) / 60 * 60_000
            let minutes = Int64.random(in: 1...1000, using: &random)
            let hours = try OfficeHours(parsing: text)
            let moment = hours.moment(after: minutes * 60_000, from: Timestamp(milliseconds: start))
            let walked = try walk(text, from: start, minutes: minutes)
            #expect(moment?.milliseconds == walked, "seed \(seed): \(text) from \(start), \(minutes) minutes")
            let half = try #require(
                hours.moment(after: minutes * 30_000, from: Timestamp(milliseconds: start)))
            let whole = hours.moment(after: minutes * 30_000, from: half)
            #expect(whole == moment, "seed \(seed): two halves are not the whole")
        }
    }

    /// The same by looking at the clock on the wall at every minute.
    private func walk(_ text: String, from start: Int64, minutes: Int64) throws -> Int64? {
        let parts = text.split(separator: " ")
        let names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let ends = try parts[0].split(separator: "-").map { try #require(names.firstIndex(of: String($0))) }
        var days = Set([ends[0]])
        var day = ends[0]
        while day != ends[ends.count - 1] {
            day = (day + 1) % 7
            days.insert(day)
        }
        let spans = try parts[1].split(separator: ",").map { span in
            let ends = try span.split(separator: "-").map { clock in
                let numbers = clock.split(separator: ":").compactMap { Int($0) }
                try #require(numbers.count == 2)
                return numbers[0] * 60 + numbers[1]
            }
            return ends[0]..<ends[1]
        }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: String(parts[2])))
        var left = minutes
        for minute in 0..<(60 * 24 * 80) {
            let now = start + Int64(minute) * 60_000
            let wall = calendar.dateComponents(
                [.weekday, .hour, .minute], from: Date(timeIntervalSince1970: Double(now) / 1000))
            let inDay = (wall.hour ?? 0) * 60 + (wall.minute ?? 0)
            guard days.contains((wall.weekday ?? 0) - 1), spans.contains(where: { $0.contains(inDay) }) else {
                continue
            }
            left -= 1
            if left == 0 { return now + 60_000 }
        }
        return nil
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
private struct Numbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
