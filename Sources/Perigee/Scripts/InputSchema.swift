import PerigeeJournal

/// One fault of an input.
public struct InputFault: Hashable, Sendable {
    /// Where, as a JSON pointer (RFC 6901); empty for the whole input.
    public var pointer: String
    /// What is wrong there, a sentence.
    public var detail: String
}

/// The `input = { id = "string", country = "string?" }` of a workflow.
///
/// A type is a word (`string integer number boolean email url date time object list any`), with `?` behind it if the
/// field may be missing, or an object of types for the fields of an object, or a list with one type for its items.
struct InputSchema: Sendable {
    private indirect enum Shape: Sendable {
        case word(String)
        case object([String: Field])
        case list(Field)
    }

    private struct Field: Sendable {
        var shape: Shape
        var isOptional = false
    }

    private static let words = [
        "string", "integer", "number", "boolean", "email", "url", "date", "time", "object", "list", "any",
    ]

    private let fields: [String: Field]

    init(_ declared: JSON) throws(DefinitionFault) {
        guard let fields = declared.object else {
            throw DefinitionFault(
                code: "PG1014", message: "`input` is \(declared.kindName); it should be a table of fields.",
                hint: "Write for example input = { id = \"string\" }.", word: "input")
        }
        self.fields = try InputSchema.fields(fields)
    }

    private static func fields(_ declared: [String: JSON]) throws(DefinitionFault) -> [String: Field] {
        var fields: [String: Field] = [:]
        for (name, type) in declared.sorted(by: { $0.key < $1.key }) { fields[name] = try field(name, type) }
        return fields
    }

    private static func field(_ name: String, _ type: JSON) throws(DefinitionFault) -> Field {
        switch type {
        case .object(let nested): return Field(shape: .object(try fields(nested)))
        case .array(let items):
            guard items.count == 1, let item = items.first else {
                throw unknown(name, "a list of several types")
            }
            return Field(shape: .list(try field(name, item)))
        case .string(let word):
            let isOptional = word.hasSuffix("?")
            let base = isOptional ? String(word.dropLast()) : word
            guard words.contains(base) else { throw unknown(name, "\"\(word)\"", near: base) }
            return Field(shape: .word(base), isOptional: isOptional)
        default: throw unknown(name, type.kindName)
        }
    }

    private static func unknown(_ name: String, _ found: String, near: String? = nil) -> DefinitionFault {
        let nearest = near.flatMap { NearestName.of($0, among: words) }
        return DefinitionFault(
            code: "PG1014", message: "`input.\(name)` = \(found) is no type.",
            hint: nearest.map { "Did you mean \"\($0)\"?" }
                ?? "The types are: \(words.joined(separator: ", ")).",
            word: name)
    }

    /// Every fault of an input, in the order of its fields' names; empty if there is none.
    func faults(of input: JSON) -> [InputFault] {
        var faults: [InputFault] = []
        InputSchema.check(input, .object(fields), at: "", &faults)
        return faults
    }

    private static func check(_ value: JSON, _ shape: Shape, at pointer: String, _ faults: inout [InputFault])
    {
        switch shape {
        case .word(let word):
            if !accepts(value, word) {
                faults.append(
                    InputFault(pointer: pointer, detail: "should be \(article(word)), and is \(found(value))")
                )
            }
        case .list(let item):
            guard let items = value.array else {
                faults.append(
                    InputFault(pointer: pointer, detail: "should be a list, and is \(found(value))"))
                return
            }
            for (index, element) in items.enumerated() {
                check(element, item.shape, at: "\(pointer)/\(index)", &faults)
            }
        case .object(let fields):
            // Lua has one empty table: an empty list stands for an object without fields.
            guard let present = value.object ?? (value == .array([]) ? [:] : nil) else {
                faults.append(
                    InputFault(pointer: pointer, detail: "should be an object, and is \(found(value))"))
                return
            }
            for (name, field) in fields.sorted(by: { $0.key < $1.key }) {
                let place = pointer + "/" + name.replacing("~", with: "~0").replacing("/", with: "~1")
                if let element = present[name], element != .null {
                    check(element, field.shape, at: place, &faults)
                } else if !field.isOptional {
                    faults.append(
                        InputFault(pointer: place, detail: "is missing; \(describe(field.shape)) is needed"))
                }
            }
        }
    }

    private static func accepts(_ value: JSON, _ word: String) -> Bool {
        switch word {
        case "any": true
        case "string": value.string != nil
        case "integer": value.int != nil
        case "number": value.double != nil
        case "boolean": value.bool != nil
        case "object": value.object != nil || value == .array([])
        case "list": value.array != nil
        case "email": value.string?.wholeMatch(of: /[^@\s]+@[^@\s]+/) != nil
        case "url": value.string?.wholeMatch(of: /https?:\/\/[^\s\/]+\S*/) != nil
        case "date": value.string?.wholeMatch(of: /\d{4}-\d{2}-\d{2}/) != nil
        case "time": value.string.flatMap(Timestamp.init(rfc3339:)) != nil
        default: false
        }
    }

    private static func describe(_ shape: Shape) -> String {
        switch shape {
        case .word(let word): article(word)
        case .object: "an object"
        case .list: "a list"
        }
    }

    private static func article(_ word: String) -> String {
        switch word {
        case "string": "text"
        case "integer": "a whole number"
        case "number": "a number"
        case "boolean": "true or false"
        case "email": "an e-mail address"
        case "url": "an http or https URL"
        case "date": "a date such as 2026-11-21"
        case "time": "an RFC 3339 time"
        case "object": "an object"
        case "list": "a list"
        default: "a value"
        }
    }

    private static func found(_ value: JSON) -> String {
        switch value {
        case .string(let text): "\"\(text.prefix(40))\""
        case .int, .double: "the number \(value.text)"
        case .bool, .null: value.text
        case .array, .object: value.kindName
        }
    }
}

extension InputSchema {
    /// An input that the schema accepts, for trying a workflow out.
    var sample: JSON {
        InputSchema.sample(.object(fields), name: "")
    }

    private static func sample(_ shape: Shape, name: String) -> JSON {
        switch shape {
        case .object(let fields):
            .object(
                Dictionary(
                    uniqueKeysWithValues: fields.map { ($0.key, sample($0.value.shape, name: $0.key)) }))
        case .list(let item): .array([sample(item.shape, name: name)])
        case .word(let word):
            switch word {
            case "integer": 42
            case "number": 1000
            case "boolean": true
            case "email": "ana@acme.example"
            case "url": "https://acme.example"
            case "date": "2026-11-21"
            case "time": "2026-11-21T09:00:00Z"
            case "object": .object([:])
            case "list": .array([])
            default: .string(name == "country" ? "DE" : "sample-\(name)")
            }
        }
    }
}
