/// A change of one durable value of a workflow (`flow.state`), or of a namespace.
public struct StateWrite: Hashable, Sendable {
    public enum Change: Hashable, Sendable {
        /// The value is this from now on, any JSON value.
        case set(Payload)
        /// The value, a number, rises by this number; one that is not there counts from 0.
        case add(JSON)
        /// There is no value any more.
        case delete
    }

    /// The value's name, 1 to 512 bytes; unique among the values of its workflow, or of the namespace.
    public var key: String
    public var change: Change
    /// Whether the value belongs to the namespace of the run that writes, and not to its workflow.
    public var isShared: Bool

    /// What stands for the workflow in ``Journal/state(namespace:workflow:key:)`` where a value is the namespace's.
    public static let sharedWorkflow = ""

    public init(key: String, change: Change, isShared: Bool = false) {
        self.key = key
        self.change = change
        self.isShared = isShared
    }

    /// The workflow that the value belongs to.
    ///
    /// - Parameter workflow: that of the run that writes.
    package func owner(_ workflow: String) -> String { isShared ? StateWrite.sharedWorkflow : workflow }

    /// The value after this change.
    ///
    /// - Parameter value: the value before; `nil` for none.
    /// - Returns: the value; `nil` for none.
    /// - Throws: ``NoSum`` where a number can't be added; the value then stays as it was.
    package func applied(to value: Payload?) throws(NoSum) -> Payload? {
        switch change {
        case .set(let new): return new
        case .delete: return nil
        case .add(let number):
            guard let value else { return number.bytes }
            return try StateWrite.sum((try? JSON(parsing: value)) ?? .null, number).bytes
        }
    }

    private static func sum(_ value: JSON, _ number: JSON) throws(NoSum) -> JSON {
        if case .int(let left) = value, case .int(let right) = number {
            let (sum, overflows) = left.addingReportingOverflow(right)
            if !overflows { return .int(sum) }
        }
        guard let left = value.double, let right = number.double else { throw NoSum(found: value.kindName) }
        guard (left + right).isFinite else { throw NoSum(found: "too large a number") }
        return .double(left + right)
    }

    /// What a run shows where a number could not be added.
    package func note(of fault: NoSum, at: Timestamp) -> Annotation {
        Annotation(
            ordinal: nil, at: at, kind: .log, level: "error",
            text:
                "flow.state.add: \"\(key)\" holds \(fault.found), so nothing was added to it and it stays as it was."
        )
    }
}

/// Something that a number can't be added to.
package struct NoSum: Error, Hashable {
    /// What stands there instead: `text`, `a list` and so on.
    package var found: String
}
