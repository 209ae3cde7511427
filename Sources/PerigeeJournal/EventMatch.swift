/// The operator table of triggers and of `wait.event`: which events are meant, by their data.
///
/// A condition is a value (equal), a list (any of them), or an object of operators (`gt gte lt lte ne exists
/// prefix within older_than`). All conditions must hold. A field may be a dotted path through objects
/// (`company.size`). Numbers compare as numbers; a field that is `null` counts as missing.
public struct EventMatch: Hashable, Sendable {
    /// The conditions by field.
    public let conditions: [String: JSON]

    /// What has to hold, the cheapest test first.
    private let tests: [FieldTest]

    /// Creates a match from conditions that are known to be sound.
    ///
    /// A condition that ``init(parsing:)`` would refuse never holds.
    ///
    /// - Parameter conditions: the conditions by field; none matches every event.
    public init(_ conditions: [String: JSON] = [:]) {
        self.conditions = conditions
        var ignored: [String] = []
        tests = EventMatch.tests(of: conditions, faults: &ignored)
    }

    /// Creates a match from what an author wrote.
    ///
    /// - Parameter value: an object of conditions by field; an empty one matches every event.
    /// - Throws: ``EventMatchError`` that names every fault.
    public init(parsing value: JSON) throws(EventMatchError) {
        guard let conditions = value.object else {
            throw EventMatchError(faults: ["a match is a table of conditions by field, not \(value.kindName)"]
            )
        }
        var faults: [String] = []
        tests = EventMatch.tests(of: conditions, faults: &faults)
        self.conditions = conditions
        guard faults.isEmpty else { throw EventMatchError(faults: faults) }
    }

    /// Whether all conditions hold for an event.
    ///
    /// - Parameters:
    ///   - data: the event's data.
    ///   - now: the moment that `within` and `older_than` look from.
    public func matches(_ data: JSON, now: Timestamp) -> Bool {
        tests.allSatisfy { $0.holds(for: data, now: now) }
    }

    private static func tests(of conditions: [String: JSON], faults: inout [String]) -> [FieldTest] {
        var tests: [FieldTest] = []
        for (field, condition) in conditions.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        ) {
            let path = field.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            if path.contains("") { faults.append("\"\(field)\" is not a field: a part of it is empty") }
            do {
                tests += try FieldTest.parse(path: path, condition)
            } catch {
                faults.append(contentsOf: error.faults.map { "\(field): \($0)" })
                tests.append(FieldTest(path: path, test: .never))
            }
        }
        return tests.sorted { $0.test.cost < $1.test.cost }
    }
}

/// Why an operator table can't be used.
public struct EventMatchError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Every fault, each a few words that begin with the field: `amount: there is no operator "gtt" …`.
    public let faults: [String]

    public var description: String { faults.joined(separator: "; ") }
}

extension EventMatch {
    /// One equality of these conditions that an index can look up, `field=value` with the value as JSON;
    /// empty if there is none.
    ///
    /// An event can only match if its ``indexKeys(of:)`` contain this key.
    public var indexKey: String {
        for (field, condition) in conditions.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        ) {
            if let key = EventMatch.indexKey(field, condition) { return key }
        }
        return ""
    }

    /// All index keys that a match with this event can have: the empty one and those of its top-level values.
    ///
    /// - Parameter data: the event's data.
    /// - Returns: `nil` if there are more than 256: then any match of the event's type is a candidate.
    public static func indexKeys(of data: JSON) -> [String]? {
        var keys = [""]
        for (field, value) in data.object ?? [:] {
            guard let key = indexKey(field, value) else { continue }
            guard keys.count < 256 else { return nil }
            keys.append(key)
        }
        return keys
    }

    /// Both sides leave out what is too long for an index and what is not looked up at the top level, so that
    /// an index never hides a match.
    private static func indexKey(_ field: String, _ value: JSON) -> String? {
        switch value {
        case .null, .array, .object: return nil
        case .bool, .int, .double, .string:
            guard !field.isEmpty, !field.utf8.contains(UInt8(ascii: ".")) else { return nil }
            let key = "\(field)=\(value.text)"
            return key.utf8.count <= 256 ? key : nil
        }
    }
}
