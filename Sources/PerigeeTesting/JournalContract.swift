public import PerigeeJournal

/// What every journal promises, as checks that run against any store.
///
/// Each check gets an empty journal of its own. Run them all from a test:
/// ```swift
/// @Test(arguments: JournalContract.checks)
/// func `keeps the contract`(check: JournalContract.Check) async throws {
///     try await check.run(on: MyJournal())
/// }
/// ```
public enum JournalContract {
    /// One promise.
    public struct Check: Sendable, CustomStringConvertible {
        /// The area that it belongs to: `claim`, `commit`, `fencing` and so on.
        public let area: String
        /// The promise as a sentence.
        public let promise: String
        let body: @Sendable (Scene) async throws -> Void

        /// Runs the check.
        ///
        /// - Parameter journal: an empty journal that nothing else uses.
        /// - Throws: ``ContractViolation`` where the promise is broken; what the journal throws.
        public func run(on journal: any Journal) async throws {
            try await body(Scene(journal: journal))
        }

        public var description: String { "\(area): \(promise)" }
    }

    /// All promises.
    public static let checks: [Check] =
        versionChecks + submitChecks + keyChecks + conflictChecks + slotChecks + claimChecks + commitChecks
        + fencingChecks + waitChecks + lookBackChecks + watchChecks + decisionChecks + reminderChecks
        + cancellationChecks + hostChecks + queryChecks + historyChecks + scheduleChecks + retentionChecks
        + stateChecks + lockChecks + gateChecks + breakerChecks + childChecks + continueChecks + actionChecks
        + batchChecks + secretChecks
}

/// A promise of ``JournalContract`` that a journal did not keep.
public struct ContractViolation: Error, CustomStringConvertible {
    public let description: String
}

func expect(_ condition: Bool, _ what: String, line: Int = #line) throws {
    if !condition { throw ContractViolation(description: "\(what) (line \(line))") }
}

func expectEqual<Value: Equatable>(_ got: Value, _ expected: Value, line: Int = #line) throws {
    try expect(got == expected, "expected \(expected), got \(got)", line: line)
}

func expectError(
    _ expected: JournalError, line: Int = #line, from body: () async throws -> Void
) async throws {
    do {
        try await body()
    } catch let error as JournalError {
        try expectEqual(error, expected, line: line)
        return
    }
    throw ContractViolation(description: "expected \(expected), nothing was thrown (line \(line))")
}

/// Any refusal of unusable values; their wording is not part of the contract.
func expectInvalid(line: Int = #line, from body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch JournalError.invalid {
        return
    }
    throw ContractViolation(description: "expected a refusal as invalid (line \(line))")
}

func require<Value>(_ value: Value?, _ what: String, line: Int = #line) throws -> Value {
    guard let value else { throw ContractViolation(description: "missing: \(what) (line \(line))") }
    return value
}
