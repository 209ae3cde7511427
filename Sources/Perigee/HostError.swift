public import PerigeeJournal

/// A request to a host that it refuses.
public struct HostError: ExplainedError, Hashable {
    public let code: String
    /// What kind of error it is, in a few words.
    public let title: String
    public let message: String
    public let hint: String
    /// The HTTP status that fits it.
    public let status: Int
    /// Every fault of an input.
    public let faults: [InputFault]
    /// In how many whole seconds the same request may be taken, 1 or more; `nil` where nobody can say.
    public let retryAfterSeconds: Int?

    init(
        code: String, status: Int, title: String, message: String, hint: String, faults: [InputFault] = [],
        retryAfterSeconds: Int? = nil
    ) {
        self.code = code
        self.status = status
        self.title = title
        self.message = message
        self.hint = hint
        self.faults = faults
        self.retryAfterSeconds = retryAfterSeconds
    }

    static func unknownWorkflow(_ id: String, near: String?) -> HostError {
        HostError(
            code: "PG4004", status: 404, title: "Unknown workflow",
            message: "There is no workflow \"\(id)\".",
            hint: near.map { "Did you mean \"\($0)\"?" }
                ?? "GET /v1/workflows lists them; a workflow is a file of the scripts folder.")
    }

    static func notLoaded(_ id: String, _ problem: ScriptProblem) -> HostError {
        HostError(
            code: "PG4009", status: 409, title: "Workflow not loaded",
            message: "The workflow \"\(id)\" can't be loaded: \(problem.message)", hint: problem.hint)
    }

    static func unknownRun(_ id: String) -> HostError {
        HostError(
            code: "PG4005", status: 404, title: "Unknown run", message: "There is no run \"\(id)\".",
            hint: "GET /v1/runs lists them.")
    }

    static func unknownApproval(_ id: String) -> HostError {
        HostError(
            code: "PG4006", status: 404, title: "Unknown approval",
            message: "There is no approval \"\(id)\".",
            hint: "GET /v1/approvals lists those that wait.")
    }

    static func invalidInput(_ faults: [InputFault]) -> HostError {
        let report = RunStart.error(faults)
        return HostError(
            code: report.code, status: 422, title: "Invalid input", message: report.message,
            hint: report.hint,
            faults: faults)
    }

    static func alreadyDecided(_ approval: ApprovalRecord) -> HostError {
        switch approval.status {
        case .decided:
            let by = approval.decision.map { " by \($0.by) at \($0.at): \($0.outcome)" } ?? ""
            return HostError(
                code: "PG4011", status: 409, title: "Already decided",
                message: "The approval was decided before\(by).",
                hint: "Nothing was changed; the first decision counts.")
        case .expired:
            return HostError(
                code: "PG4010", status: 409, title: "No longer open",
                message: "Nobody decided the approval in time.",
                hint: "Nothing was changed; look at its run for what followed.")
        case .waiting, .cancelled:
            return HostError(
                code: "PG4010", status: 409, title: "No longer open",
                message: "The approval's run has ended.",
                hint: "Nothing was changed; look at its run.")
        }
    }

    static func unknownOutcome(_ outcome: String, _ choices: [String]) -> HostError {
        HostError(
            code: "PG4012", status: 422, title: "Unknown outcome",
            message: "\"\(outcome)\" is no choice of this approval.",
            hint: "Choose one of: \(choices.joined(separator: ", ")).")
    }

    static func commentRequired(_ outcome: String) -> HostError {
        HostError(
            code: "PG4013", status: 422, title: "Comment required",
            message: "\"\(outcome)\" needs a comment.",
            hint: "Say why in `comment`.")
    }

    static func alreadyEnded(_ run: RunRecord) -> HostError {
        HostError(
            code: "PG4014", status: 409, title: "Run has ended",
            message: "The run \(run.id) has ended (\(run.status.rawValue)).",
            hint: "Nothing was changed.")
    }

    static func invalid(_ message: String, hint: String) -> HostError {
        HostError(code: "PG4020", status: 400, title: "Invalid request", message: message, hint: hint)
    }

    static func tooLarge(_ limit: Int) -> HostError {
        HostError(
            code: "PG4042", status: 413, title: "Too large",
            message: "The data is larger than \(limit / 1024) KiB.",
            hint: "Store large data elsewhere and send a link to it.")
    }

    static let shuttingDown = HostError(
        code: "PG4003", status: 503, title: "Shutting down", message: "The host is about to end.",
        hint: "Send it again in a moment.", retryAfterSeconds: 2)

    static func methodNotAllowed(_ method: String, _ allowed: [String]) -> HostError {
        HostError(
            code: "PG4041", status: 405, title: "Method not allowed",
            message: "This hook does not take \(method).",
            hint: "Use \(allowed.joined(separator: " or ")).")
    }

    /// What a store refused, as an API answers it.
    public init(_ error: JournalError) {
        let status =
            switch error {
            case .idempotencyKeyReused: 422
            case .keyTaken: 409
            case .invalid: 400
            case .diskFull: 507
            case .fenced, .wrongSequence, .inUse, .damaged, .newerSchema, .io, .syncFailed: 503
            }
        self.init(
            code: error.code, status: status,
            title: status == 507 ? "No room left" : status == 409 ? "Key is taken" : "Storage",
            message: error.message,
            hint: error.hint)
    }
}
