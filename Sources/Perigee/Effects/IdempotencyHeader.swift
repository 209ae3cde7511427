import PerigeeJournal

/// How the idempotency key of a call is sent.
struct IdempotencyHeader: Sendable {
    private let name: String
    /// Whether it is sent as a string of structured fields (RFC 9651): `"8e03978e"`.
    private let isQuoted: Bool

    /// Reads `idempotency_header = {…}`, as the stdlib gave it.
    init(_ given: JSON?) {
        name = given?["name"]?.string ?? "Idempotency-Key"
        isQuoted = given?["quoted"]?.bool ?? false
    }

    /// The header with a key.
    ///
    /// - Throws: ``ScriptError`` for a key that can't stand in quotes.
    func header(_ key: String) throws(ScriptError) -> (name: String, value: String) {
        guard isQuoted else { return (name, key) }
        guard key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw ScriptError(
                code: "PG1142", kind: "validation",
                message: "The idempotency key has a character that can't be sent in quotes.",
                hint: "Make it of ASCII letters, digits and signs, or leave `quoted` out.")
        }
        return (name, "\"\(key.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\"")
    }
}
