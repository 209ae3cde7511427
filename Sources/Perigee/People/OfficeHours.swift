import Foundation
public import PerigeeJournal

/// When people work: `Mon-Fri 09:00-18:00 Europe/London`.
///
/// A moment is inside when the clock on the wall of that zone is: an hour that a change of the clocks repeats counts
/// twice, one that it leaves out does not count. There are no holidays.
public struct OfficeHours: Hashable, Sendable {
    /// A part of a day, in milliseconds since midnight: `begin` is inside, `end` is not.
    private struct Span: Hashable, Sendable {
        var begin: Int64
        var end: Int64
    }

    /// Why a text is no office hours, a clause: `"Mon-Fri" is …`.
    public struct Fault: Error, Hashable {
        public let message: String
    }

    /// 0 is Monday.
    private let days: Set<Int>
    private let spans: [Span]
    private let zone: TimeZone

    /// Reads days, times and a zone: `Mon-Fri 09:00-12:00,13:00-18:00 Europe/London`.
    ///
    /// Days are `Mon` to `Sun`, alone or as `Mon-Fri`, several with commas between them; so are times.
    ///
    /// - Parameter text: the whole text, its three parts with spaces between them.
    /// - Throws: ``Fault`` that says which part can't be understood.
    public init(parsing text: String) throws(Fault) {
        let parts = text.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        guard parts.count == 3 else {
            throw Fault(
                message: "\"\(text)\" has \(parts.count) parts; days, times and a time zone are needed")
        }
        days = try OfficeHours.days(parts[0])
        spans = try OfficeHours.spans(parts[1])
        guard parts[2] == "UTC" || parts[2].contains("/"), let zone = TimeZone(identifier: parts[2]) else {
            throw Fault(message: "\"\(parts[2])\" is no time zone")
        }
        self.zone = zone
    }

    private static let dayNames = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    private static func days(_ text: String) throws(Fault) -> Set<Int> {
        var days: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            var ends: [Int] = []
            for name in part.split(separator: "-", omittingEmptySubsequences: false) {
                guard let day = dayNames.firstIndex(of: name.lowercased()) else {
                    throw Fault(
                        message: "\"\(name)\" is no day of the week (Mon, Tue, Wed, Thu, Fri, Sat, Sun)")
                }
                ends.append(day)
            }
            guard let first = ends.first, let last = ends.last, ends.count <= 2 else {
                throw Fault(message: "\"\(part)\" is no range of days")
            }
            // A range may go over the end of the week: Sat-Mon.
            for offset in 0...((last - first + 7) % 7) { days.insert((first + offset) % 7) }
        }
        return days
    }

    private static func spans(_ text: String) throws(Fault) -> [Span] {
        var spans: [Span] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard ends.count == 2, let begin = time(ends[0]), let end = time(ends[1]) else {
                throw Fault(message: "\"\(part)\" is no range of times such as 09:00-18:00")
            }
            guard begin < end else {
                throw Fault(message: "\"\(part)\" ends before it begins; hours end at 24:00 at the latest")
            }
            spans.append(Span(begin: begin, end: end))
        }
        spans.sort { $0.begin < $1.begin }
        for (one, next) in zip(spans, spans.dropFirst()) where next.begin < one.end {
            throw Fault(message: "the times in \"\(text)\" overlap")
        }
        return spans
    }

    /// Milliseconds since midnight of `HH:MM`, up to `24:00`.
    private static func time(_ text: Substring) -> Int64? {
        guard let match = text.wholeMatch(of: /([0-9]{2}):([0-9]{2})/), let hour = Int64(match.1),
            let minute = Int64(match.2), minute < 60, hour * 60 + minute <= 24 * 60
        else { return nil }
        return (hour * 60 + minute) * 60_000
    }

    private static let day: Int64 = 86_400_000
    /// How far ahead is looked, in days.
    private static let horizon = 3660

    /// The moment at which this much office time has passed.
    ///
    /// - Parameters:
    ///   - milliseconds: how much, 0 or more.
    ///   - start: from when on.
    /// - Returns: the first such moment; `nil` if it is more than ten years away.
    public func moment(after milliseconds: Int64, from start: Timestamp) -> Timestamp? {
        guard milliseconds > 0 else { return start }
        var left = milliseconds
        var begin = start.milliseconds
        var offset = self.offset(at: begin)
        for _ in 0..<OfficeHours.horizon {
            let end = begin + OfficeHours.day
            let next = self.offset(at: end)
            let change = offset == next ? end : transition(between: begin, and: end, from: offset)
            let stretches = open(from: begin, to: change, offset) + open(from: change, to: end, next)
            for stretch in stretches {
                if left <= stretch.end - stretch.begin {
                    return Timestamp(milliseconds: stretch.begin + left)
                }
                left -= stretch.end - stretch.begin
            }
            (begin, offset) = (end, next)
        }
        return nil
    }

    /// The open parts of a stretch of time in which the clock is this far ahead of UTC, in order.
    private func open(from begin: Int64, to end: Int64, _ offset: Int64) -> [Span] {
        guard begin < end else { return [] }
        let (first, last) = (OfficeHours.date(begin + offset), OfficeHours.date(end - 1 + offset))
        return (first...last).flatMap { date -> [Span] in
            // 1970-01-01 was a Thursday.
            guard days.contains(Int(((date + 3) % 7 + 7) % 7)) else { return [] }
            let midnight = date * OfficeHours.day - offset
            return spans.compactMap { span in
                let part = Span(begin: max(begin, midnight + span.begin), end: min(end, midnight + span.end))
                return part.begin < part.end ? part : nil
            }
        }
    }

    /// Days since 1970-01-01 of a local time.
    private static func date(_ local: Int64) -> Int64 {
        local >= 0 ? local / day : (local - day + 1) / day
    }

    /// How far the clock is ahead of UTC, in milliseconds.
    private func offset(at moment: Int64) -> Int64 {
        Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(moment) / 1000))) * 1000
    }

    /// The first moment after a change of the clocks that lies between two moments.
    private func transition(between begin: Int64, and end: Int64, from before: Int64) -> Int64 {
        var (low, high) = (begin, end)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if offset(at: middle) == before { low = middle } else { high = middle }
        }
        return high
    }
}
