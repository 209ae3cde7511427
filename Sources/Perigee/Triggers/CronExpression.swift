/// When something is due, in the five fields of cron: `30 2 * * mon-fri`.
///
/// It is read as Debian's cron reads it (names, ranges, steps, lists, `@daily` and its like), with `L`, `LW` and
/// `15W` as days of the month, and `fri#2` and `5L` as days of the week, as they are usual elsewhere.
struct CronExpression: Hashable, Sendable {
    /// The longest text that is read, in bytes.
    private static let longest = 256

    /// The expression in five fields, one space between them.
    let text: String
    /// Bit n stands for minute n.
    let minutes: UInt64
    /// Bit n stands for hour n.
    let hours: UInt64
    let days: CronDays
    /// Whether minute or hour begins with `*`: then it follows the time that passes, and not the hands of the clock.
    let isWildcard: Bool

    /// Reads an expression.
    ///
    /// - Throws: ``CronFault`` for a text that is none, or whose day never comes.
    init(_ source: String) throws(CronFault) {
        guard source.utf8.count <= CronExpression.longest else {
            throw CronFault(
                "it has \(source.utf8.count) bytes; 256 are the most.", "Declare several triggers.")
        }
        let fields = try CronExpression.fields(source)
        text = fields.joined(separator: " ")
        minutes = try CronField.minute.values(fields[0])
        hours = try CronField.hour.values(fields[1])
        days = try CronDays(dayOfMonth: fields[2], month: fields[3], dayOfWeek: fields[4])
        isWildcard = fields[0].hasPrefix("*") || fields[1].hasPrefix("*")
        // 60 years hold every date on every day of the week.
        guard days.next(from: 0) != nil else {
            throw CronFault("no year has such a day.", "Correct the day of the month or the month.")
        }
    }

    private static let nicknames = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    private static func fields(_ source: String) throws(CronFault) -> [String] {
        let words = source.split { $0 == " " || $0 == "\t" }.map { $0.uppercased() }
        if words.count == 1, words[0].hasPrefix("@") {
            guard let meaning = nicknames[words[0].lowercased()] else {
                throw CronFault(
                    "there is no \(words[0].lowercased()).",
                    "There are @hourly, @daily, @midnight, @weekly, @monthly and @yearly.")
            }
            return meaning.split(separator: " ").map(String.init)
        }
        if let first = words.first, first.hasPrefix("CRON_TZ=") || first.hasPrefix("TZ=") {
            throw CronFault(
                "the time zone stands in the expression.", "Write it as tz = \"Europe/Paris\" beside `cron`.")
        }
        if source.contains("?") {
            throw CronFault(
                "`?` is Quartz's.", "Write `*` instead, with five fields and 0 or 7 for Sunday, 1 for Monday."
            )
        }
        if words.count == 6 || words.count == 7 {
            throw CronFault(
                "it has \(words.count) fields, and cron has five.",
                "Leave out the seconds and the year: \"\(words.dropFirst().prefix(5).joined(separator: " "))\"."
            )
        }
        guard words.count == 5 else {
            throw CronFault(
                "it has \(words.count) field\(words.count == 1 ? "" : "s"), and cron has five.",
                "Write minute, hour, day of the month, month, day of the week: \"0 2 * * *\".")
        }
        return words
    }
}

/// What is wrong with a cron expression.
struct CronFault: Error, Hashable {
    /// A sentence that goes on after the expression.
    let message: String
    let hint: String

    init(_ message: String, _ hint: String) {
        self.message = message
        self.hint = hint
    }
}

/// One field of a cron expression: which numbers it takes, and what they may be called.
struct CronField: Sendable {
    let name: String
    let bounds: ClosedRange<Int>
    /// The names of the first numbers from `bounds.lowerBound`.
    var names: [String] = []

    static let minute = CronField(name: "minute", bounds: 0...59)
    static let hour = CronField(name: "hour", bounds: 0...23)
    static let dayOfMonth = CronField(name: "day of the month", bounds: 1...31)
    static let month = CronField(
        name: "month", bounds: 1...12,
        names: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"])
    /// 0 and 7 are both Sunday.
    static let dayOfWeek = CronField(
        name: "day of the week", bounds: 0...7, names: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])

    /// The numbers of a list, as bits.
    func values(_ text: String) throws(CronFault) -> UInt64 {
        var values: UInt64 = 0
        for item in items(text) { values |= try self.values(item: item) }
        return values
    }

    func items(_ text: String) -> [Substring] {
        text.split(separator: ",", omittingEmptySubsequences: false)
    }

    /// The numbers of `*`, `5`, `1-5`, `*/15`, `10-20/3` or `5/10`; every number is checked before a range is spread.
    func values(item: Substring) throws(CronFault) -> UInt64 {
        let parts = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var range = try range(parts[0])
        var step = 1
        if parts.count > 1 {
            step = try self.step(parts[1])
            if range.count == 1, !parts[0].contains("-") { range = range.lowerBound...bounds.upperBound }
        }
        return stride(from: range.lowerBound, through: range.upperBound, by: step).reduce(0) {
            $0 | 1 << UInt64($1)
        }
    }

    private func range(_ text: Substring) throws(CronFault) -> ClosedRange<Int> {
        if text == "*" { return bounds }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count <= 2 else { throw fault(text) }
        let first = try number(ends[0])
        guard ends.count == 2 else { return first...first }
        let last = names.first == "SUN" && ends[1] == "SUN" ? 7 : try number(ends[1])
        guard first <= last else {
            throw CronFault(
                "the range \(text) of the \(name) runs backwards.",
                "Write it as two: \"\(ends[0])-\(bounds.upperBound),\(bounds.lowerBound)-\(ends[1])\".")
        }
        return first...last
    }

    func number(_ text: Substring) throws(CronFault) -> Int {
        if let index = names.firstIndex(of: String(text)) { return bounds.lowerBound + index }
        guard !text.isEmpty, text.utf8.count <= 2, let number = digits(text), bounds.contains(number) else {
            throw fault(text)
        }
        return number
    }

    private func step(_ text: Substring) throws(CronFault) -> Int {
        guard text.utf8.count <= 4, let step = digits(text), step >= 1 else {
            throw CronFault(
                "the step \"\(text)\" of the \(name) is no number from 1.", "Write for example \"*/15\".")
        }
        guard step <= bounds.count else {
            throw CronFault(
                "the \(name) has no \(bounds.count + 1) values that a step of \(step) could skip.",
                "For a longer interval write every = \"\(step)m\" or another field.")
        }
        return step
    }

    private func digits(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
    }

    func fault(_ text: Substring) -> CronFault {
        let called =
            names.isEmpty ? "" : ", or \(names[0].lowercased())-\(names[names.count - 1].lowercased())"
        return CronFault(
            "\"\(text)\" is no \(name).",
            "The \(name) is a number from \(bounds.lowerBound) to \(bounds.upperBound)\(called).")
    }
}
