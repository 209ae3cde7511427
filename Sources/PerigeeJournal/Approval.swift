/// What kind of answer a person is asked for.
public enum ApprovalKind: String, CaseIterable, Sendable {
    /// One of several choices.
    case approval
    /// A form to fill in.
    case form
    /// Data that a run could not go on with, to be repaired or discarded.
    case park
}

/// What a person is asked.
public struct ApprovalRequest: Hashable, Sendable {
    public var kind: ApprovalKind
    /// Who may decide, as the script wrote it: a JSON array of texts.
    public var to: Payload
    /// What they are shown: a JSON array of rows.
    public var show: Payload
    /// The outcomes to choose from.
    public var choices: [String]
    /// The choices that need a comment.
    public var commentRequiredOn: [String]
    /// Everything else that the script wrote, which no journal looks into: a JSON object.
    public var details: Payload
    /// When people are to be reminded, in rising order.
    public var remindAt: [Timestamp]

    public init(
        kind: ApprovalKind = .approval, to: Payload, show: Payload, choices: [String],
        commentRequiredOn: [String] = [], details: Payload = Array("{}".utf8), remindAt: [Timestamp] = []
    ) {
        self.kind = kind
        self.to = to
        self.show = show
        self.choices = choices
        self.commentRequiredOn = commentRequiredOn
        self.details = details
        self.remindAt = remindAt
    }
}

/// Whether an approval can still be decided.
public enum ApprovalStatus: String, CaseIterable, Sendable {
    case waiting, decided
    /// Its time ran out.
    case expired
    /// Its run ended first.
    case cancelled
}

/// A person's answer to an approval.
public struct Decision: Hashable, Sendable {
    public var outcome: String
    public var by: String
    public var at: Timestamp
    public var comment: String?
    /// What was filled in, as a JSON object.
    public var form: Payload?
    /// The data as it was repaired, as JSON.
    public var data: Payload?
    /// The way it came: `page`, `api`, `cli` and so on.
    public var via: String?
    /// The SHA-256 of what was shown to the person who decided, in hexadecimal.
    public var shown: String?

    public init(
        outcome: String, by: String, at: Timestamp, comment: String? = nil, form: Payload? = nil,
        data: Payload? = nil, via: String? = nil, shown: String? = nil
    ) {
        self.outcome = outcome
        self.by = by
        self.at = at
        self.comment = comment
        self.form = form
        self.data = data
        self.via = via
        self.shown = shown
    }

    /// What the script gets: `{"at":…,"by":…,"comment":…,"data":…,"form":…,"outcome":…,"shown":…,"via":…}`,
    /// without those that are not there.
    public var payload: Payload {
        var fields: [String: JSON] = [
            "outcome": .string(outcome), "by": .string(by), "at": .string(at.description),
        ]
        if let comment { fields["comment"] = .string(comment) }
        if let form, let value = try? JSON(parsing: form) { fields["form"] = value }
        if let data, let value = try? JSON(parsing: data, maxDepth: 80) { fields["data"] = value }
        if let via { fields["via"] = .string(via) }
        if let shown { fields["shown"] = .string(shown) }
        return JSON.object(fields).bytes
    }
}

/// An approval with its run, as the inbox shows it.
public struct ApprovalRecord: Hashable, Sendable {
    public var id: String
    public var run: String
    public var namespace: String
    public var workflow: String
    public var address: StepAddress
    public var request: ApprovalRequest
    public var status: ApprovalStatus
    public var openedAt: Timestamp
    public var dueAt: Timestamp?
    /// How many of the request's reminders were told.
    public var remindersTold: Int
    public var decision: Decision?

    public init(
        id: String, run: String, namespace: String, workflow: String, address: StepAddress,
        request: ApprovalRequest, status: ApprovalStatus, openedAt: Timestamp, dueAt: Timestamp?,
        remindersTold: Int = 0, decision: Decision? = nil
    ) {
        self.id = id
        self.run = run
        self.namespace = namespace
        self.workflow = workflow
        self.address = address
        self.request = request
        self.status = status
        self.openedAt = openedAt
        self.dueAt = dueAt
        self.remindersTold = remindersTold
        self.decision = decision
    }

    /// When people are to be reminded next; `nil` if they are not, or no longer.
    public var nextReminderAt: Timestamp? {
        guard status == .waiting, remindersTold < request.remindAt.count else { return nil }
        return request.remindAt[remindersTold]
    }
}
