import PerigeeJournal

/// `ask.approval`, `ask.form` and `flow.park`: a person decides.
enum Approval {
    /// The kind of question that each verb asks.
    static let kinds: [String: ApprovalKind] = [
        "ask.approval": .approval, "ask.form": .form, "flow.park": .park,
    ]

    /// - Throws: ``ScriptError`` for hours or a form that can't be understood.
    static func plan(
        _ kind: ApprovalKind, _ arguments: JSON, now: Timestamp
    ) throws(ScriptError) -> StepPlan {
        for field in arguments["form"]?.array ?? [] { _ = try FormField(field) }
        let clock = try Clock(arguments["hours"]?.string, openedAt: now)
        let due = try arguments["timeout_milliseconds"]?.int.map { length throws(ScriptError) in
            try clock.moment(after: length)
        }
        var reminders: [Timestamp] = []
        for length in (arguments["remind_milliseconds"]?.array ?? []).compactMap(\.int) {
            let moment = try clock.moment(after: length)
            // Nobody is reminded of what is over.
            if due.map({ moment < $0 }) ?? true { reminders.append(moment) }
        }
        let details = ApprovalDetails.names.reduce(into: [String: JSON]()) { $0[$1] = arguments[$1] }
        let request = ApprovalRequest(
            kind: kind, to: (arguments["to"] ?? .array([])).bytes,
            show: (arguments["show"] ?? .array([])).bytes,
            choices: arguments["choices"]?.array?.compactMap(\.string) ?? [],
            commentRequiredOn: arguments["comment_required_on"]?.array?.compactMap(\.string) ?? [],
            details: JSON.object(details).bytes, remindAt: reminders.sorted())
        return .wait(.approval(request), dueAt: due)
    }

    /// `{ outcome, by, at, comment, form, url, … }`; the outcome is "timeout" when nobody decided in time.
    static func outcome(_ answer: WaitAnswer, publicURL: String) -> Outcome {
        let given = answer.payload.flatMap { try? JSON(parsing: $0, maxDepth: 80) }?.object
        var fields = given ?? ["outcome": "timeout"]
        if fields["at"] == nil { fields["at"] = .string(answer.at.description) }
        if fields["form"] == nil { fields["form"] = .object([:]) }
        fields["url"] = .string("\(publicURL)/a/\(answer.wait)")
        return .success(JSON.object(fields).bytes)
    }

    /// Counts the time since a question was asked, all of it or only that in office hours.
    private struct Clock {
        let hours: OfficeHours?
        let openedAt: Timestamp

        init(_ text: String?, openedAt: Timestamp) throws(ScriptError) {
            self.openedAt = openedAt
            guard let text else {
                hours = nil
                return
            }
            do { hours = try OfficeHours(parsing: text) } catch {
                throw Clock.refusal("`hours` can't be understood: \(error.message).")
            }
        }

        func moment(after milliseconds: Int64) throws(ScriptError) -> Timestamp {
            guard let hours else { return openedAt.adding(milliseconds: milliseconds) }
            guard let moment = hours.moment(after: milliseconds, from: openedAt) else {
                throw Clock.refusal("`timeout` and `remind` are more than ten years away in these `hours`.")
            }
            return moment
        }

        private static func refusal(_ message: String) -> ScriptError {
            ScriptError(
                code: "PG1120", kind: "script", message: message,
                hint: "Write for example hours = \"Mon-Fri 09:00-18:00 Europe/London\".")
        }
    }
}
