import PerigeeJournal

/// The days of a cron expression: its last three fields.
struct CronDays: Hashable, Sendable {
    /// How far a next day is looked for, in days: longer than any date and day of the week need to meet.
    private static let horizon: Int64 = 60 * 366

    /// Bit n stands for month n.
    private let months: UInt64
    /// Bit n stands for day n.
    private var ofMonth: UInt64 = 0
    private var isLast = false
    private var isLastWorkday = false
    /// `15W`: bit n stands for the workday nearest to day n.
    private var nearest: UInt64 = 0
    /// Bit n stands for weekday n, Sunday is 0.
    private var ofWeek: UInt64 = 0
    /// `5L`: bit n stands for the last weekday n of the month.
    private var lastOfWeek: UInt64 = 0
    /// `5#2`: bit 8 n + k stands for the kth weekday n of the month.
    private var nthOfWeek: UInt64 = 0
    /// Whether both fields have to fit; if neither begins with `*`, one is enough.
    private let needsBoth: Bool

    init(dayOfMonth: String, month: String, dayOfWeek: String) throws(CronFault) {
        months = try CronField.month.values(month)
        needsBoth = dayOfMonth.hasPrefix("*") || dayOfWeek.hasPrefix("*")
        for item in CronField.dayOfMonth.items(dayOfMonth) { try addDayOfMonth(item) }
        for item in CronField.dayOfWeek.items(dayOfWeek) { try addDayOfWeek(item) }
    }

    private mutating func addDayOfMonth(_ item: Substring) throws(CronFault) {
        let field = CronField.dayOfMonth
        if item == "L" {
            isLast = true
        } else if item == "LW" {
            isLastWorkday = true
        } else if item.last == "W" {
            nearest |= 1 << UInt64(try field.number(item.dropLast()))
        } else {
            ofMonth |= try field.values(item: item)
        }
    }

    private mutating func addDayOfWeek(_ item: Substring) throws(CronFault) {
        let field = CronField.dayOfWeek
        let parts = item.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count > 1 {
            guard let nth = Int(parts[1]), (1...5).contains(nth), parts[1].utf8.count == 1 else {
                throw CronFault(
                    "\"\(item)\" asks for a week of the month that there is not.",
                    "Write #1 to #5, or L for the last.")
            }
            nthOfWeek |= 1 << UInt64(try field.number(parts[0]) % 7 * 8 + nth)
        } else if item.last == "L", item.count > 1 {
            lastOfWeek |= 1 << UInt64(try field.number(item.dropLast()) % 7)
        } else {
            let values = try field.values(item: item)
            ofWeek |= values & 0x7F | values >> 7
        }
    }

    /// The first day that fits, from a day on; days are counted from 1970-01-01.
    func next(from first: Int64) -> Int64? {
        var day = first
        while day < first + CronDays.horizon {
            let date = civilDate(daysSince1970: day)
            guard months & 1 << UInt64(date.month) != 0 else {
                day += daysIn(month: date.month, year: date.year) - date.day + 1
                continue
            }
            if contains(day, date) { return day }
            day += 1
        }
        return nil
    }

    private func contains(_ day: Int64, _ date: (year: Int64, month: Int64, day: Int64)) -> Bool {
        let length = daysIn(month: date.month, year: date.year)
        let weekday = (day + 4) % 7 < 0 ? (day + 4) % 7 + 7 : (day + 4) % 7
        let fitsMonth = containsOfMonth(date.day, weekday: weekday, length: length)
        let fitsWeek = containsOfWeek(weekday, day: date.day, length: length)
        return needsBoth ? fitsMonth && fitsWeek : fitsMonth || fitsWeek
    }

    private func containsOfMonth(_ day: Int64, weekday: Int64, length: Int64) -> Bool {
        if ofMonth & 1 << UInt64(day) != 0 || isLast && day == length { return true }
        guard (1...5).contains(weekday), isLastWorkday || nearest != 0 else { return false }
        let isFriday = weekday == 5
        if isLastWorkday, day == length || isFriday && day >= length - 2 { return true }
        /// Whether this workday stands for a day some days away.
        func stands(for other: Int64) -> Bool {
            (1...length).contains(other) && nearest & 1 << UInt64(other) != 0
        }
        if stands(for: day) { return true }
        // Saturday goes to the Friday before, Sunday to the Monday after, and neither leaves the month.
        if isFriday { return stands(for: day + 1) || day + 2 == length && stands(for: day + 2) }
        return weekday == 1 && (stands(for: day - 1) || day == 3 && stands(for: 1))
    }

    private func containsOfWeek(_ weekday: Int64, day: Int64, length: Int64) -> Bool {
        if ofWeek & 1 << UInt64(weekday) != 0 { return true }
        if lastOfWeek & 1 << UInt64(weekday) != 0, day > length - 7 { return true }
        return nthOfWeek & 1 << UInt64(weekday * 8 + (day - 1) / 7 + 1) != 0
    }
}
