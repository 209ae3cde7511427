/// One test of one field of an event's data.
struct FieldTest: Hashable, Sendable {
    enum Comparison: String, CaseIterable {
        case gt, gte, lt, lte
    }

    enum Test: Hashable, Sendable {
        case exists(Bool)
        case equals(JSON)
        case compares(Comparison, JSON)
        case prefix(String)
        case anyOf([JSON])
        case noneOf([JSON])
        case within(milliseconds: Int64)
        case olderThan(milliseconds: Int64)
        case never

        /// Tests run in this order: nothing to look at, one look, several looks, a text to parse.
        var cost: Int {
            switch self {
            case .never: 0
            case .exists: 1
            case .equals: 2
            case .compares, .prefix: 3
            case .anyOf, .noneOf: 4
            case .within, .olderThan: 5
            }
        }
    }

    var path: [String]
    var test: Test

    func holds(for data: JSON, now: Timestamp) -> Bool {
        let value = data.value(at: path)
        switch test {
        case .exists(let wanted): return (value != .null) == wanted
        case .equals(let wanted): return value.isSame(as: wanted)
        case .anyOf(let wanted): return wanted.contains { value.isSame(as: $0) }
        case .noneOf(let unwanted): return !unwanted.contains { value.isSame(as: $0) }
        case .compares(let comparison, let bound): return comparison.holds(value, bound)
        case .prefix(let prefix): return value.string.map { $0.utf8.starts(with: prefix.utf8) } ?? false
        case .within(let span):
            guard let moment = value.moment else { return false }
            return moment >= now.adding(milliseconds: -span) && moment <= now.adding(milliseconds: span)
        case .olderThan(let span):
            guard let moment = value.moment else { return false }
            return moment < now.adding(milliseconds: -span)
        case .never: return false
        }
    }
}

extension FieldTest.Comparison {
    /// Numbers compare with numbers and texts with texts, byte by byte; anything else never holds.
    func holds(_ value: JSON, _ bound: JSON) -> Bool {
        guard let order = value.order(to: bound) else { return false }
        return switch self {
        case .gt: order > 0
        case .gte: order >= 0
        case .lt: order < 0
        case .lte: order <= 0
        }
    }
}

extension JSON {
    /// The value at a path through objects; `null` where there is none.
    fileprivate func value(at path: [String]) -> JSON {
        var value = self
        for name in path {
            // Dictionary lookup takes texts that only look alike as equal; an index of the stored bytes would
            // not.
            guard let fields = value.object, let found = fields.index(forKey: name),
                fields[found].key.utf8.elementsEqual(name.utf8)
            else { return .null }
            value = fields[found].value
        }
        return value
    }

    /// Equality with numbers as numbers and texts as bytes.
    fileprivate func isSame(as other: JSON) -> Bool {
        switch (self, other) {
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.int, .int), (.int, .double), (.double, .int), (.double, .double): order(to: other) == 0
        case (.array(let left), .array(let right)): left.elementsEqual(right) { $0.isSame(as: $1) }
        case (.object(let left), .object(let right)):
            left.count == right.count && left.allSatisfy { right[$0.key]?.isSame(as: $0.value) ?? false }
        default: self == other
        }
    }

    /// -1, 0 or 1 for two numbers or two texts; `nil` for what has no order.
    fileprivate func order(to other: JSON) -> Int? {
        switch (self, other) {
        case (.int(let left), .int(let right)): left < right ? -1 : left == right ? 0 : 1
        case (.double(let left), .double(let right)): left < right ? -1 : left == right ? 0 : 1
        case (.int(let left), .double(let right)): JSON.order(left, right)
        case (.double(let left), .int(let right)): -JSON.order(right, left)
        case (.string(let left), .string(let right)):
            left.utf8.elementsEqual(right.utf8)
                ? 0 : left.utf8.lexicographicallyPrecedes(right.utf8) ? -1 : 1
        default: nil
        }
    }

    /// Exact, where turning the integer into a floating-point number would round it.
    private static func order(_ left: Int64, _ right: Double) -> Int {
        let below = right.rounded(.down)
        guard let floor = Int64(exactly: below) else { return right > 0 ? -1 : 1 }
        if left == floor { return right > below ? -1 : 0 }
        return left < floor ? -1 : 1
    }

    /// The moment, if this is an RFC 3339 time or date (then its midnight in UTC).
    fileprivate var moment: Timestamp? {
        guard let text = string else { return nil }
        return Timestamp(rfc3339: text) ?? Timestamp(rfc3339: text + "T00:00:00Z")
    }
}
