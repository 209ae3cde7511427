import Perigee
import PerigeeJournal

/// A field of a form as its template shows it: a labelled input that needs no script.
struct FieldView: Hashable {
    struct Option: Hashable {
        var value: String
        var word: String
        var isSelected: Bool
    }

    var id: String
    var name: String
    var title: String
    /// What is said beside the title.
    var note: String?
    var type = "text"
    var value: String
    var isInput = false
    var isArea = false
    var isSelect = false
    var options: [Option] = []
    var required: Bool
    var step: String?
    var least: String?
    var most: String?
    var longest: String?
    /// What is wrong with what was entered.
    var fault: String?

    /// - Parameters:
    ///   - number: which field of the form it is.
    ///   - entered: what stands in it; `nil` for its standard value.
    ///   - fault: a clause without its subject.
    init(_ field: FormField, number: Int, entered: String?, fault: String?) {
        id = "field-\(number)"
        name = "form.\(field.name)"
        title = field.title
        value = entered ?? field.standard.map(Self.text) ?? ""
        self.fault = fault.map { "It \($0)." }
        // A browser must not ask for what only another button needs.
        required = field.isRequired && field.outcomes.isEmpty
        note = Self.note(field)
        switch field.kind {
        case .text: isArea = true
        case .choice: select(field.options.map { ($0, $0) })
        case .boolean: select([("true", "Yes"), ("false", "No")])
        case .string, .number, .integer, .email, .date: isInput = true
        }
        bound(field)
    }

    private static func text(_ value: JSON) -> String {
        value.string ?? value.text
    }

    private static func note(_ field: FormField) -> String? {
        guard field.outcomes.isEmpty else { return "for: \(field.outcomes.joined(separator: ", "))" }
        return field.isRequired ? nil : "may be left empty"
    }

    private mutating func select(_ choices: [(value: String, word: String)]) {
        isSelect = true
        let isKnown = choices.contains { $0.value == value }
        options =
            [Option(value: "", word: "–", isSelected: !isKnown)]
            + choices.map { Option(value: $0.value, word: $0.word, isSelected: $0.value == value) }
    }

    private mutating func bound(_ field: FormField) {
        let (min, max) = (field.min.map { Self.text(.double($0)) }, field.max.map { Self.text(.double($0)) })
        switch field.kind {
        case .number, .integer:
            type = "number"
            step = field.kind == .integer ? "1" : "any"
            (least, most) = (min, max)
        case .string, .text: longest = field.max.map { String(Int($0.rounded(.down).clamped(to: 0...1e6))) }
        case .email, .date: type = field.kind.rawValue
        case .boolean, .choice: break
        }
    }
}

extension Double {
    fileprivate func clamped(to bounds: ClosedRange<Double>) -> Double {
        Swift.min(Swift.max(self, bounds.lowerBound), bounds.upperBound)
    }
}
