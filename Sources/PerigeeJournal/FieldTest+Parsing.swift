extension FieldTest {
    private static let operators =
        Comparison.allCases.map(\.rawValue) + ["ne", "exists", "prefix", "within", "older_than"]

    /// The tests that one condition stands for.
    static func parse(path: [String], _ condition: JSON) throws(EventMatchError) -> [FieldTest] {
        switch condition {
        case .array(let elements):
            [FieldTest(path: path, test: .anyOf(try plainValues(elements, of: "a list")))]
        case .object(let operators): try parse(path: path, operators: operators)
        default: [FieldTest(path: path, test: .equals(condition))]
        }
    }

    private static func parse(
        path: [String], operators: [String: JSON]
    ) throws(EventMatchError) -> [FieldTest] {
        guard !operators.isEmpty else { throw EventMatchError(faults: ["a table of operators is empty"]) }
        var tests: [FieldTest] = []
        var faults: [String] = []
        for (name, operand) in operators.sorted(by: { $0.key < $1.key }) {
            do {
                tests.append(FieldTest(path: path, test: try parse(operator: name, operand)))
            } catch {
                faults += error.faults
            }
        }
        guard faults.isEmpty else { throw EventMatchError(faults: faults) }
        return tests
    }

    private static func parse(operator name: String, _ operand: JSON) throws(EventMatchError) -> Test {
        if let comparison = Comparison(rawValue: name) {
            switch operand {
            case .int, .double, .string: return .compares(comparison, operand)
            default: throw wrong("\(name) needs a number or text, not \(operand.kindName)")
            }
        }
        switch name {
        case "ne":
            guard let list = operand.array else { return .noneOf(try plainValues([operand], of: "ne")) }
            return .noneOf(try plainValues(list, of: "ne"))
        case "exists":
            guard let wanted = operand.bool else {
                throw wrong("exists needs true or false, not \(operand.kindName)")
            }
            return .exists(wanted)
        case "prefix":
            guard let prefix = operand.string else {
                throw wrong("prefix needs text, not \(operand.kindName)")
            }
            return .prefix(prefix)
        case "within": return .within(milliseconds: try duration(operand, of: name))
        case "older_than": return .olderThan(milliseconds: try duration(operand, of: name))
        default: throw unknown(name)
        }
    }

    private static func plainValues(
        _ values: [JSON], of owner: String
    ) throws(EventMatchError) -> [JSON] {
        guard !values.isEmpty else { throw wrong("\(owner) needs at least one value") }
        for value in values where value.array != nil || value.object != nil {
            throw wrong("\(owner) takes plain values, not \(value.kindName)")
        }
        return values
    }

    private static func duration(_ operand: JSON, of name: String) throws(EventMatchError) -> Int64 {
        guard let text = operand.string else {
            throw wrong("\(name) needs a duration such as \"7d\", not \(operand.kindName)")
        }
        guard let span = DurationText.milliseconds(in: text) else {
            throw wrong("\(name): \"\(text)\" is not a duration; write \"90s\", \"48h\", \"7d\" or \"1h30m\"")
        }
        return span
    }

    private static func unknown(_ name: String) -> EventMatchError {
        let near = NearestName.of(name, among: operators)
        let advice =
            near.map { "did you mean \"\($0)\"?" } ?? "there are \(operators.joined(separator: ", "))"
        return wrong("there is no operator \"\(name)\"; \(advice)")
    }

    private static func wrong(_ fault: String) -> EventMatchError {
        EventMatchError(faults: [fault])
    }
}
