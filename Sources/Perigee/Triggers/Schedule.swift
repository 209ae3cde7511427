import Crypto
import PerigeeJournal

/// When a workflow starts by itself, as its script declares it.
struct Schedule: Hashable, Sendable {
    /// What says when it is due.
    enum Timing: Hashable, Sendable {
        case cron(CronExpression, ScheduleZone)
        /// At the multiples of so many milliseconds since 1970-01-01T00:00:00Z.
        case every(milliseconds: Int64)
    }

    /// The shortest interval, in milliseconds.
    private static let shortestInterval: Int64 = 1000

    let timing: Timing
    let overlap: ScheduleOverlap
    let catchUp: ScheduleCatchUp
    /// The longest delay, in milliseconds.
    let jitter: Int64
    /// The trigger as it was declared.
    let declared: JSON

    /// Reads `{ cron = …, tz = … }` or `{ every = … }` with their options.
    ///
    /// - Throws: ``DefinitionFault`` for what is declared wrongly.
    init(_ fields: JSON) throws(DefinitionFault) {
        declared = fields
        timing = try Schedule.timing(fields)
        overlap = try Schedule.choice(fields, "overlap", or: .skip)
        catchUp = try Schedule.choice(fields, "catch_up", or: .one)
        let text = fields["jitter"]?.string ?? "0s"
        guard let jitter = DurationText.milliseconds(in: text) else {
            throw Schedule.fault(
                "`jitter` = \"\(text)\" is no duration.", "Write for example jitter = \"30s\".", "jitter")
        }
        self.jitter = jitter
    }

    private static func timing(_ fields: JSON) throws(DefinitionFault) -> Timing {
        guard let text = fields["cron"]?.string else { return .every(milliseconds: try interval(fields)) }
        let name = fields["tz"]?.string ?? "UTC"
        guard let zone = ScheduleZone(name) else {
            let near = ScheduleZone.nearest(to: name)
            throw DefinitionFault(
                code: "PG1101", message: "`tz` = \"\(name)\" is no time zone.",
                hint: near.map { "Did you mean \"\($0)\"?" }
                    ?? "Write the zone's name in the IANA database, such as \"Europe/Paris\" or \"UTC\".",
                word: name)
        }
        do {
            return .cron(try CronExpression(text), zone)
        } catch {
            throw DefinitionFault(
                code: "PG1100", message: "`cron` = \"\(text)\" can't be understood: \(error.message)",
                hint: error.hint, word: text.isEmpty ? "cron" : text)
        }
    }

    private static func interval(_ fields: JSON) throws(DefinitionFault) -> Int64 {
        let text = fields["every"]?.string ?? ""
        guard let interval = DurationText.milliseconds(in: text), interval >= shortestInterval else {
            throw fault(
                "`every` = \"\(text)\" is shorter than a second.", "Write for example every = \"15m\".",
                "every")
        }
        return interval
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ fields: JSON, _ name: String, or standard: Choice
    ) throws(DefinitionFault) -> Choice {
        guard let text = fields[name]?.string else { return standard }
        if let choice = Choice(rawValue: text) { return choice }
        let known = Choice.allCases.map(\.rawValue)
        throw fault(
            "`\(name)` = \"\(text)\" is no choice.",
            NearestName.of(text, among: known).map { "Did you mean \"\($0)\"?" }
                ?? "Choose one of: \(known.joined(separator: ", ")).", name)
    }

    static func fault(_ message: String, _ hint: String, _ word: String) -> DefinitionFault {
        DefinitionFault(code: "PG1102", message: message, hint: hint, word: word)
    }

    // MARK: Its times

    /// The first occurrence after a moment; `nil` for none within 60 years.
    func next(after time: Timestamp) -> Timestamp? {
        switch timing {
        case .cron(let expression, let zone): return expression.next(after: time, in: zone)
        case .every(let interval):
            let count = floorDivide(time.milliseconds, interval)
            let (next, overflow) = (count + 1).multipliedReportingOverflow(by: interval)
            return overflow ? nil : Timestamp(milliseconds: next)
        }
    }

    /// When an occurrence starts its run: later than its time by a part of the jitter that is always the same for the
    /// same occurrence, and before the next occurrence.
    func due(_ occurrence: Timestamp, of id: String) -> Timestamp {
        guard jitter > 0 else { return occurrence }
        let gap = next(after: occurrence).map { $0.milliseconds - occurrence.milliseconds } ?? .max
        var random = SeededRandom(run: "\(id) \(occurrence.milliseconds)")
        let delay = random.next() % UInt64(min(jitter + 1, gap))
        return occurrence.adding(milliseconds: Int64(delay))
    }

    // MARK: Its names

    /// What the schedule of a workflow is known by: the same as long as what says when it is due stays the same.
    func id(workflow: String) -> String {
        let digest = SHA256.hash(data: Array("\(workflow)\n\(identity)".utf8))
        return "sch_" + digest.prefix(8).hexadecimal
    }

    var identity: String {
        switch timing {
        case .cron(let expression, let zone): "cron \(expression.text) \(zone.name)"
        case .every(let interval): "every \(interval)"
        }
    }

    /// When it is due, for people: `every day at 02:00, Europe/Paris`.
    var sentence: String {
        switch timing {
        case .cron(let expression, let zone):
            "\(expression.sentence ?? "cron \(declared["cron"]?.string ?? expression.text)"), \(zone.name)"
        case .every: "every \(declared["every"]?.string ?? "")"
        }
    }

    var zone: ScheduleZone {
        if case .cron(_, let zone) = timing { zone } else { .utc }
    }
}

/// What happens to an occurrence while an earlier run of its schedule has not ended.
enum ScheduleOverlap: String, CaseIterable, Sendable {
    /// It is passed over.
    case skip
    /// It waits for the end; a further one is passed over.
    case buffer_one
    /// It waits for the end, and so do those that follow.
    case buffer_all
    /// The earlier run is cancelled, and the newest occurrence starts when it has ended.
    case cancel_other
    /// The earlier run is ended at once, and the newest occurrence starts.
    case terminate_other
    /// It starts beside the earlier one.
    case allow_all
}

/// What happens to occurrences that came while nobody could start them.
enum ScheduleCatchUp: String, CaseIterable, Sendable {
    /// The latest one starts late.
    case one
    /// Each one starts late, the latest 1,000.
    case all
    /// They are passed over.
    case none
}
