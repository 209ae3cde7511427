import PerigeeJournal
import PerigeeLua

/// An error that nothing in a script caught, in plain language and with its place.
struct FailureReport {
    /// The code of an error of the script's own.
    static let own = "PG1000"

    private(set) var code: String
    private(set) var message: String
    /// What to do; `nil` where nothing but correcting the script is known.
    private(set) var hint: String?
    private(set) var script: String
    /// From 1; 0 if it is not known.
    private(set) var line: Int
    /// What the excerpt points at: columns in bytes from 0, or else a word.
    private(set) var columns: Range<Int>?
    private(set) var word: String?
    /// What Lua said, where that is told in other words.
    private var said: String?
    private let fields: [String: JSON]
    private let traceback: [String]
    private let text: String

    /// - Parameters:
    ///   - files: the texts of the script, its modules and the stdlib by their paths.
    ///   - lookUp: reads a value in the frame that failed.
    init(_ failure: LuaFailure, files: [String: String], lookUp: @escaping LuaLookUp) {
        fields = failure.value.flatMap { try? JSON(parsing: $0) }?.object ?? [:]
        traceback = failure.traceback
        code = fields["code"]?.string ?? FailureReport.own
        message = fields["message"]?.string ?? failure.message
        hint = fields["hint"]?.string
        (script, line) = (failure.script, failure.line)
        word = fields["name"]?.string
        // Of an error table it is only told in other words what `try` made of an error of Lua's own.
        let plain =
            code == FailureReport.own
            ? PlainError.read(message, failure, texts: files, lookUp: lookUp) : nil
        text = files[plain?.script ?? failure.script] ?? ""
        if let plain {
            (script, line) = (plain.script, plain.error.line > 0 ? plain.error.line : plain.line)
            explain(plain.error)
        } else if code == FailureReport.own, failure.hasNoMessage {
            explain(.withoutMessage(failure, has: Array(fields.keys)))
        }
    }

    private mutating func explain(_ error: PlainError) {
        said = message
        code = error.code
        message = error.message
        hint = error.hint.isEmpty ? nil : error.hint
        columns = error.columns
    }

    /// The lines in question with a caret below; `nil` where no line is to blame.
    var place: SourcePlace? {
        guard line > 0 else { return nil }
        guard let columns else { return SourcePlace(line: line, word: word, text: text) }
        return SourcePlace(line: line, columns: columns, text: text)
    }

    private static let next = "Correct the script; runs that start after it is saved use it."

    /// As a run shows it.
    var json: JSON {
        var fields = fields
        fields["kind"] = fields["kind"] ?? "script"
        fields["message"] = .string(message)
        if said == nil {
            fields["code"] = fields["code"] ?? .string(code)
            fields["hint"] = fields["hint"] ?? .string(FailureReport.next)
        }
        if let said {
            fields["code"] = .string(code)
            fields["hint"] = .string(hint.map { "\($0) \(FailureReport.next)" } ?? FailureReport.next)
            fields["lua"] = .string(said)
        }
        if line > 0 {
            fields["script"] = .string(script)
            fields["line"] = .int(Int64(line))
            if let place { fields["excerpt"] = .string(place.excerpt) }
        }
        if !traceback.isEmpty { fields["traceback"] = .array(traceback.map(JSON.string)) }
        return .object(fields)
    }
}

extension LuaFailure {
    /// Whether `error` was called with something that says nothing.
    fileprivate var hasNoMessage: Bool { message.hasPrefix("error value is ") }
}

extension PlainError {
    fileprivate static func withoutMessage(_ failure: LuaFailure, has keys: [String]) -> PlainError {
        let what = failure.message.dropFirst("error value is ".count)
        let given =
            what == "nil"
            ? "nothing (nil)" : what == "table without a message" ? "a table without `message`" : "a \(what)"
        let has = keys.isEmpty ? "" : "It has: \(keys.sorted().prefix(8).joined(separator: ", ")). "
        return PlainError(
            code: "PG1065", message: "The script called `error` with \(given).",
            hint:
                "\(has)Say what is wrong: error(\"no such customer\"), or flow.fail(\"…\") to fail on purpose."
        )
    }
}
