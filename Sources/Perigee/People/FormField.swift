public import PerigeeJournal

/// One field of the form that a person fills in.
public struct FormField: Hashable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        /// Text in one line.
        case string
        /// Text in several lines.
        case text
        case number, integer, boolean, email, date
        /// One of ``FormField/options``.
        case choice
    }

    /// What the script calls it.
    public let name: String
    /// What people read.
    public let title: String
    public let kind: Kind
    /// The smallest number, or the fewest characters of a text.
    public let min: Double?
    /// The largest number, or the most characters of a text.
    public let max: Double?
    /// What a ``Kind/choice`` may be.
    public let options: [String]
    /// Whether it has to be filled in.
    public let isRequired: Bool
    /// What it is where nothing was said of it.
    public let standard: JSON?
    /// The outcomes that it belongs to; empty for all.
    public let outcomes: [String]

    /// The most characters of a text that declares no bound of its own.
    private static let longest = 10_000

    /// Reads `{name, title, type, min, max, required, default, one_of, on}`, as `stdlib/question.lua` hands it over.
    init(_ declared: JSON) throws(ScriptError) {
        name = declared["name"]?.string ?? ""
        title = declared["title"]?.string ?? name
        options = (declared["one_of"]?.array ?? []).compactMap(\.string)
        let word = declared["type"]?.string ?? (options.isEmpty ? "string" : "choice")
        guard let kind = Kind(rawValue: word) else {
            let known = Kind.allCases.map(\.rawValue)
            throw FormField.fault(
                name, "has the type \"\(word)\", which there is not.",
                hint: NearestName.of(word, among: known).map { "Did you mean \"\($0)\"?" }
                    ?? "The types are: \(known.joined(separator: ", ")).")
        }
        self.kind = kind
        min = declared["min"]?.double
        max = declared["max"]?.double
        isRequired = declared["required"]?.bool ?? true
        outcomes = (declared["on"]?.array ?? []).compactMap(\.string)
        standard = declared["default"].flatMap { $0 == .null ? JSON?.none : $0 }
        try checkDeclaration()
    }

    private func checkDeclaration() throws(ScriptError) {
        guard (kind == .choice) != options.isEmpty else {
            throw FormField.fault(
                name, options.isEmpty ? "is a choice of nothing." : "has `one_of` and the type \(kind).",
                hint: "Give `one_of = { \"a\", \"b\" }` and no other type.")
        }
        if let min, let max, min > max {
            throw FormField.fault(
                name, "has a `min` that is larger than its `max`.", hint: "Exchange the two.")
        }
        if min != nil || max != nil, [.boolean, .email, .date, .choice].contains(kind) {
            throw FormField.fault(
                name, "is a \(kind), which has no `min` and `max`.",
                hint: "Bounds are for numbers, and for how many characters a text has.")
        }
        guard let standard else { return }
        if case .failure(let fault) = read(standard) {
            throw FormField.fault(
                name, "has a `default` that does not fit: it \(fault.detail).",
                hint: "Give a default that people could have entered.")
        }
    }

    private static func fault(_ name: String, _ message: String, hint: String) -> ScriptError {
        ScriptError(
            code: "PG1121", kind: "script", message: "The field `form.\(name)` \(message)", hint: hint)
    }

    /// Whether the field belongs to an outcome.
    public func belongs(to outcome: String) -> Bool {
        outcomes.isEmpty || outcomes.contains { $0.lowercased() == outcome.lowercased() }
    }

    /// What an entry means, or what is wrong with it.
    struct Misfit: Error {
        /// A clause without its subject: `should be a number from 0 to 40, and is "x"`.
        var detail: String
    }

    /// Reads what was entered; text stands for any value, as forms and command lines have nothing else.
    ///
    /// - Returns: the typed value; `nil` where nothing was entered.
    func read(_ entered: JSON) -> Result<JSON?, Misfit> {
        if entered == .null { return .success(nil) }
        if let text = entered.string, kind != .text, text.allSatisfy(\.isWhitespace) { return .success(nil) }
        if entered == .string("") { return .success(nil) }
        guard let value = typed(entered), isInBounds(value) else {
            return .failure(Misfit(detail: "should be \(expected), and is \(found(entered))"))
        }
        return .success(value)
    }

    private func typed(_ entered: JSON) -> JSON? {
        let text = entered.string.map { kind == .text ? $0 : $0.trimmed }
        switch kind {
        case .string: return text.map { .string($0.replacing("\n", with: " ")) }
        case .text: return text.map { .string($0.replacing("\r\n", with: "\n")) }
        case .number: return text.map(FormField.number) ?? (entered.double == nil ? JSON?.none : entered)
        case .integer: return (text.map(FormField.number) ?? entered)?.int.map(JSON.int)
        case .boolean:
            return text.map { ["true": true, "false": false][$0.lowercased()] } ?? FormField.flag(entered)
        case .email:
            return text.flatMap { $0.wholeMatch(of: /[^@\s]+@[^@\s]+/).map { .string(String($0.output)) } }
        case .date:
            return text.flatMap { Timestamp(rfc3339: "\($0)T00:00:00Z") == nil ? nil : .string($0) }
        case .choice:
            return text.flatMap { text in options.first { $0 == text } }.map(JSON.string)
        }
    }

    private static func number(_ text: String) -> JSON? {
        guard text.utf8.allSatisfy({ !($0 == UInt8(ascii: "x") || $0 == UInt8(ascii: "X")) }),
            let number = Double(text), number.isFinite
        else { return nil }
        return Int64(exactly: number).map(JSON.int) ?? .double(number)
    }

    private static func flag(_ entered: JSON) -> JSON? {
        entered.bool.map(JSON.bool)
    }

    private func isInBounds(_ value: JSON) -> Bool {
        let measure = value.double ?? value.string.map { Double($0.count) } ?? 0
        let most = max ?? (value.string == nil ? .infinity : Double(FormField.longest))
        return measure >= (min ?? -.infinity) && measure <= most
    }

    /// What is expected, in words: `a number from 0 to 40`.
    var expected: String {
        let bounds =
            switch (min, max) {
            case (let min?, let max?): " from \(plain(min)) to \(plain(max))"
            case (let min?, nil): " of at least \(plain(min))"
            case (nil, let max?): " of at most \(plain(max))"
            case (nil, nil): ""
            }
        switch kind {
        case .string, .text:
            return bounds.isEmpty
                ? "text of at most \(FormField.longest) characters" : "text\(bounds) characters"
        case .number: return "a number\(bounds)"
        case .integer: return "a whole number\(bounds)"
        case .boolean: return "true or false"
        case .email: return "an e-mail address"
        case .date: return "a date such as 2026-11-21"
        case .choice: return "one of \(options.joined(separator: ", "))"
        }
    }

    private func plain(_ number: Double) -> String {
        Int64(exactly: number).map(String.init) ?? "\(number)"
    }

    private func found(_ value: JSON) -> String {
        switch value {
        case .string(let text) where text.count > 40: "text of \(text.count) characters"
        case .string(let text): "\"\(text)\""
        case .int, .double: value.text
        case .bool, .null: value.text
        case .array, .object: value.kindName
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        let end = lastIndex { !$0.isWhitespace }.map { index(after: $0) } ?? startIndex
        return String(self[..<end].drop(while: \.isWhitespace))
    }
}

/// What a person filled in.
enum FilledForm {
    /// Checks what was filled in against the fields.
    ///
    /// - Parameters:
    ///   - given: values by the names of the fields.
    ///   - outcome: the outcome that they come with; fields that do not belong to it are left out.
    /// - Returns: the typed values, with the standard ones, and every fault in the order of the fields.
    static func check(
        _ given: [String: JSON], against fields: [FormField], outcome: String
    ) -> (values: [String: JSON], faults: [InputFault]) {
        var values: [String: JSON] = [:]
        var faults: [InputFault] = []
        for field in fields where field.belongs(to: outcome) {
            let pointer = pointer(field.name)
            switch field.read(given[field.name] ?? field.standard ?? .null) {
            case .success(let value?): values[field.name] = value
            case .success(nil) where field.isRequired:
                faults.append(InputFault(pointer: pointer, detail: "is missing; \(field.expected) is needed"))
            case .success(nil): break
            case .failure(let misfit): faults.append(InputFault(pointer: pointer, detail: misfit.detail))
            }
        }
        let known = fields.map(\.name)
        for name in given.keys.sorted() where !known.contains(name) {
            let near = NearestName.of(name, among: known).map { "; did you mean \($0)?" } ?? ""
            faults.append(
                InputFault(pointer: pointer(name), detail: "is no field of this form\(near)"))
        }
        return (values, faults)
    }

    private static func pointer(_ name: String) -> String {
        "/form/" + name.replacing("~", with: "~0").replacing("/", with: "~1")
    }
}
