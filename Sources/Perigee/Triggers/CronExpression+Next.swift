import PerigeeJournal

extension CronExpression {
    /// The first moment after another at which this is due, as Debian's cron has it where clocks are changed.
    ///
    /// An expression with a fixed minute and hour follows the hands of the clock: a time that the clocks leave out
    /// is due right after the gap, and one that they show twice is due the first time only. One whose minute or hour
    /// begins with `*` follows the time that passes: what is left out is not due, and an hour that comes twice is due
    /// twice.
    ///
    /// - Returns: `nil` if no day fits within 60 years.
    func next(after time: Timestamp, in zone: ScheduleZone) -> Timestamp? {
        let start = floorDivide(time.milliseconds, 1000)
        let next = isWildcard ? nextPassing(after: start, zone) : nextShown(after: start, zone)
        return next.map { Timestamp(milliseconds: $0 * 1000) }
    }

    /// By the hands of the clock.
    private func nextShown(after start: Int64, _ zone: ScheduleZone) -> Int64? {
        var local = start + zone.offset(at: start)
        while let shown = nextShown(afterLocal: local) {
            let instant = zone.instant(ofLocal: shown)
            if instant > start { return instant }
            local = shown
        }
        return nil
    }

    private func nextShown(afterLocal local: Int64) -> Int64? {
        let today = floorDivide(local, 86_400)
        var minute = (local - today * 86_400) / 60 + 1
        guard var day = days.next(from: today) else { return nil }
        while true {
            if day > today { minute = 0 }
            if let found = minuteOfDay(from: minute) { return day * 86_400 + found * 60 }
            guard let next = days.next(from: day + 1) else { return nil }
            day = next
        }
    }

    private func minuteOfDay(from first: Int64) -> Int64? {
        guard first < 1440 else { return nil }
        for hour in first / 60..<24 where hours & 1 << UInt64(hour) != 0 {
            if let minute = minuteOfHour(from: hour == first / 60 ? first % 60 : 0) {
                return hour * 60 + minute
            }
        }
        return nil
    }

    private func minuteOfHour(from first: Int64) -> Int64? {
        guard first < 60 else { return nil }
        let rest = minutes >> UInt64(first)
        return rest == 0 ? nil : first + Int64(rest.trailingZeroBitCount)
    }

    /// By the time that passes.
    private func nextPassing(after start: Int64, _ zone: ScheduleZone) -> Int64? {
        let offset = zone.offset(at: start)
        var instant = (floorDivide(start + offset, 60) + 1) * 60 - offset
        while true {
            let offset = zone.offset(at: instant)
            let local = instant + offset
            let today = floorDivide(local, 86_400)
            let inDay = local - today * 86_400
            guard let day = days.next(from: today) else { return nil }
            if day > today {
                instant = max(instant + 60, zone.instant(ofLocal: day * 86_400))
                continue
            }
            let inHour = inDay % 3600
            guard hours & 1 << UInt64(inDay / 3600) != 0, let minute = minuteOfHour(from: (inHour + 59) / 60)
            else {
                instant += 3600 - inHour
                continue
            }
            let candidate = instant + minute * 60 - inHour
            // The clocks may be changed on the way there.
            if zone.offset(at: candidate) == offset { return candidate }
            instant += 60
        }
    }
}

extension CronExpression {
    private static let weekdays = [
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    ]

    /// The expression as a sentence for people, `every day at 02:00`; `nil` for one that has no short one.
    var sentence: String? {
        let fields = text.split(separator: " ").map(String.init)
        guard fields[2] == "*", fields[3] == "*" else { return nil }
        func pad(_ bit: Int) -> String { (bit < 10 ? "0" : "") + String(bit) }
        let minute = minutes.trailingZeroBitCount
        switch (fields[0], fields[1], fields[4]) {
        case ("*", "*", "*"): return "every minute"
        case (_, "*", "*") where fields[0].hasPrefix("*/") && 60 % minuteStep == 0:
            return "every \(minuteStep) minutes"
        case (_, "*", "*") where minutes.nonzeroBitCount == 1: return "every hour at minute \(minute)"
        default: break
        }
        guard minutes.nonzeroBitCount == 1, hours.nonzeroBitCount == 1 else { return nil }
        let at = "at \(pad(hours.trailingZeroBitCount)):\(pad(minute))"
        switch fields[4] {
        case "*": return "every day \(at)"
        case "1-5", "MON-FRI": return "Monday to Friday \(at)"
        default:
            let day = try? CronField.dayOfWeek.number(fields[4][...])
            return day.map { "every \(CronExpression.weekdays[$0 % 7]) \(at)" }
        }
    }

    /// How far apart the first two minutes are.
    private var minuteStep: Int { (minutes >> 1).trailingZeroBitCount + 1 }
}
