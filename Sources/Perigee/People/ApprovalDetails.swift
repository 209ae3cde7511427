public import PerigeeJournal

/// What a script wrote beside the rows and the choices of a question.
public struct ApprovalDetails: Hashable, Sendable {
    /// People who may not decide.
    public let notBy: [String]
    /// The form to fill in, in its order.
    public let fields: [FormField]
    /// What follows from each choice, by the choice.
    public let effect: [String: String]
    /// When the time to decide runs, as the script wrote it.
    public let hours: String?
    /// Why data was parked.
    public let reason: String?
    /// What kind of trouble it is, in the script's words.
    public let category: String?
    /// Whether the same data may go through another time.
    public let isRetryable: Bool?
    /// The data to repair; `nil` unless it was parked.
    public let data: JSON?
    /// What the other side answered.
    public let response: JSON?

    /// The names under which ``ApprovalRequest/details`` keeps them.
    static let names = [
        "not_by", "form", "effect", "hours", "remind", "reason", "category", "retryable", "data", "response",
    ]

    /// Reads the details of a request.
    public init(_ request: ApprovalRequest) {
        let details = (try? JSON(parsing: request.details, maxDepth: 80)) ?? .null
        notBy = (details["not_by"]?.array ?? []).compactMap(\.string)
        // A declaration that can't be understood was refused when the script asked.
        fields = (details["form"]?.array ?? []).compactMap { try? FormField($0) }
        effect = (details["effect"]?.object ?? [:]).compactMapValues(\.string)
        hours = details["hours"]?.string
        reason = details["reason"]?.string
        category = details["category"]?.string
        isRetryable = details["retryable"]?.bool
        data = request.kind == .park ? details["data"] ?? .null : JSON?.none
        response = details["response"]
    }
}
