import PerigeeJournal
import PerigeeLua

/// What a script declared by `workflow{…}`.
struct WorkflowDefinition: Sendable {
    /// What starts a run.
    enum Trigger: Sendable {
        case event(type: String, match: EventMatch, changed: [String])
        case http(method: String, path: String)
        case schedule(Schedule)
        case manual
    }

    /// What becomes of a start whose key another run has.
    enum OnConflict: String, Sendable {
        case use_existing, reject, cancel_existing, queue
    }

    /// How many runs with the same key may be under way at once.
    struct Concurrency: Sendable {
        /// `nil` for the whole workflow.
        let key: KeyTemplate?
        let limit: Int
    }

    let name: String?
    let about: String?
    let triggers: [Trigger]
    /// The triggers as they were declared.
    let declaredTriggers: [JSON]
    /// `lead:{id}`: the template of the business key.
    let key: KeyTemplate?
    let onConflict: OnConflict
    let concurrency: Concurrency?
    /// How long ended runs are kept; `nil` for as long as the host keeps them.
    let keep: Keep?
    /// When its runs are held back because too many fail; `nil` for never.
    let breaker: BreakerRule?
    let input: InputSchema?
    /// How long a run may take from its start on; `nil` for as long as it needs.
    let timeoutMilliseconds: Int64?
    /// The input schema as it was declared.
    let declaredInput: JSON?

    /// Reads a definition, as Lua gave it.
    ///
    /// - Throws: ``ScriptProblem`` for what is declared wrongly.
    init(_ fields: JSON, bundle: ScriptBundle) throws(ScriptProblem) {
        name = fields["name"]?.string
        about = fields["about"]?.string
        declaredTriggers = fields["on"]?.array ?? []
        declaredInput = fields["input"]
        keep = fields["keep"]?.string.flatMap(Keep.init)
        breaker = fields["breaker"].flatMap(BreakerRule.init)
        onConflict = fields["on_conflict"]?.string.flatMap(OnConflict.init) ?? .use_existing
        timeoutMilliseconds = fields["timeout_milliseconds"]?.int
        do {
            triggers = try declaredTriggers.map { trigger throws(DefinitionFault) in
                try WorkflowDefinition.trigger(trigger)
            }
            try WorkflowDefinition.checkSchedules(triggers)
            input = try declaredInput.map { schema throws(DefinitionFault) in try InputSchema(schema) }
            key = try fields["key"]?.string.map { text throws(DefinitionFault) in
                try WorkflowDefinition.keyTemplate(text, of: "key")
            }
            concurrency = try fields["concurrency"].map { rule throws(DefinitionFault) in
                try WorkflowDefinition.concurrency(rule)
            }
        } catch {
            let path = bundle.scriptPath
            throw ScriptProblem(
                code: error.code, message: error.message, hint: error.hint, file: path, line: 1,
                word: error.word,
                text: bundle.files[path])
        }
    }

    /// What the journal is told of it.
    var rules: WorkflowRules {
        WorkflowRules(concurrencyLimit: concurrency?.limit, keep: keep, breaker: breaker)
    }

    private static func trigger(_ fields: JSON) throws(DefinitionFault) -> Trigger {
        if let declared = fields["http"]?.string {
            let parts = declared.split(separator: " ", maxSplits: 1)
            return .http(method: String(parts[0]), path: String(parts[1]).trimmingPathSlashes())
        }
        if fields["cron"] != nil || fields["every"] != nil { return .schedule(try Schedule(fields)) }
        guard let type = fields["event"]?.string else { return .manual }
        let match: EventMatch
        do {
            match = try EventMatch(parsing: fields["match"] ?? .object([:]))
        } catch {
            throw DefinitionFault(
                code: "PG1014", message: "`match` can't be understood: \(error).",
                hint: "Correct the conditions.",
                word: "match")
        }
        let changed = fields["changed"]?.array?.compactMap(\.string) ?? []
        return .event(type: type, match: match, changed: changed)
    }

    /// Two schedules that are due at the same times would be one.
    private static func checkSchedules(_ triggers: [Trigger]) throws(DefinitionFault) {
        var known: Set<String> = []
        for case .schedule(let schedule) in triggers where !known.insert(schedule.identity).inserted {
            let word = schedule.declared["cron"] == nil ? "every" : "cron"
            throw Schedule.fault(
                "The schedule \(schedule.sentence) is declared twice.", "Remove one of them.", word)
        }
    }

    private static func keyTemplate(
        _ key: String, of option: String
    ) throws(DefinitionFault) -> KeyTemplate {
        guard let template = KeyTemplate(key) else {
            throw DefinitionFault(
                code: "PG1014", message: "`\(option)` = \"\(key)\" has a brace that does not close.",
                hint: "Write for example key = \"lead:{id}\".", word: option)
        }
        return template
    }

    /// The Lua half has checked the fields; a key without braces is a field of the input.
    private static func concurrency(_ rule: JSON) throws(DefinitionFault) -> Concurrency {
        let key = try rule["key"]?.string.map { text throws(DefinitionFault) in
            try keyTemplate(text.contains("{") ? text : "{\(text)}", of: "concurrency")
        }
        return Concurrency(key: key, limit: Int(rule["limit"]?.int ?? 1))
    }
}

/// What is wrong in a definition.
struct DefinitionFault: Error {
    var code: String
    var message: String
    var hint: String
    /// What stands in the text where it is wrong.
    var word: String?
}

/// A business key with the places of the input's fields: `lead:{id}`.
struct KeyTemplate: Sendable {
    private enum Part: Sendable {
        case text(String)
        case field([String])
    }

    private let parts: [Part]

    /// `nil` if a brace does not close.
    init?(_ text: String) {
        var parts: [Part] = []
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}") else { return nil }
            parts.append(.text(String(rest[..<open])))
            parts.append(.field(rest[rest.index(after: open)..<close].split(separator: ".").map(String.init)))
            rest = rest[rest.index(after: close)...]
        }
        self.parts = parts + [.text(String(rest))]
    }

    /// The key of an input; `nil` if a field is missing or is not text, a number or a truth value.
    func key(for input: JSON) -> String? {
        var key = ""
        for part in parts {
            switch part {
            case .text(let text): key += text
            case .field(let path):
                guard let value = path.reduce(input as JSON?, { $0?[$1] }) else { return nil }
                switch value {
                case .string(let text): key += text
                case .int, .double, .bool: key += value.text
                case .null, .array, .object: return nil
                }
            }
        }
        return key
    }
}

extension String {
    /// `/orders/` is `orders`.
    func trimmingPathSlashes() -> String {
        String(drop { $0 == "/" }.reversed().drop { $0 == "/" }.reversed())
    }
}
