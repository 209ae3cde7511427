/// An error that tells its reader what happened and what to do, under a code that never changes its meaning.
public protocol ExplainedError: Error, CustomStringConvertible {
    /// `PG` and four digits.
    var code: String { get }
    /// What happened, one sentence in the user's terms.
    var message: String { get }
    /// What to do next, one sentence.
    var hint: String { get }
}

extension ExplainedError {
    public var description: String { "\(message) \(hint) [\(code)]" }
}
