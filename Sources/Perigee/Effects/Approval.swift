import PerigeeJournal

/// `ask.approval(label, { to, show, choices, comment, timeout })`: a person decides.
enum Approval {
    static func plan(_ arguments: JSON, now: Timestamp) -> StepPlan {
        let request = ApprovalRequest(
            to: (arguments["to"] ?? .array([])).bytes, show: (arguments["show"] ?? .array([])).bytes,
            choices: arguments["choices"]?.array?.compactMap(\.string) ?? [],
            commentRequiredOn: arguments["comment_required_on"]?.array?.compactMap(\.string) ?? [])
        let due = arguments["timeout_milliseconds"]?.int.map { now.adding(milliseconds: $0) }
        return .wait(.approval(request), dueAt: due)
    }

    /// `{ outcome, by, at, comment, form, url }`; the outcome is "timeout" when nobody decided in time.
    static func outcome(_ answer: WaitAnswer, publicURL: String) -> Outcome {
        var fields = answer.payload.flatMap { try? JSON(parsing: $0) }?.object ?? ["outcome": "timeout"]
        if fields["at"] == nil { fields["at"] = .string(answer.at.description) }
        fields["url"] = .string("\(publicURL)/a/\(answer.wait)")
        return .success(JSON.object(fields).bytes)
    }
}
