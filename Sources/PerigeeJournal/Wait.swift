/// Something that a run waits for.
///
/// The first answer counts: an event, a decision, or its time running out.
public struct Wait: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// Nothing but its time.
        case timer
        /// The first event of this type that matches and was recorded after the run was created.
        case event(type: String, match: EventMatch)
        /// A person's decision.
        case approval(ApprovalRequest)
        /// The lock of this key, which one run of the namespace holds at a time, in the order in which they asked.
        case lock(key: String)
        /// The end of a run, by its public id (see ``ChildEnd``).
        ///
        /// If it has ended already, that answers at once.
        case child(run: String)
        /// The start of a run that begins with the same commit: answers at once with its public id, which is that of
        /// an earlier run where a key names one.
        case started(run: String)
    }

    /// Unique in the store; for an approval it is the approval's public id.
    public var id: String
    public var address: StepAddress
    public var kind: Kind
    public var openedAt: Timestamp
    /// When the wait is answered by its time running out; `nil` for never.
    public var dueAt: Timestamp?

    public init(id: String, address: StepAddress, kind: Kind, openedAt: Timestamp, dueAt: Timestamp?) {
        self.id = id
        self.address = address
        self.kind = kind
        self.openedAt = openedAt
        self.dueAt = dueAt
    }
}

/// An answer that a wait was given and that its run has not yet taken into its journal.
public struct WaitAnswer: Hashable, Sendable {
    public var wait: String
    public var address: StepAddress
    public var at: Timestamp
    /// The event (see ``EventRecord/envelope``), the decision (see ``Decision/payload``), the end of a run (see
    /// ``ChildEnd``), the id of a started one, or `true` for a lock; `nil` when the time ran out.
    public var payload: Payload?

    public init(wait: String, address: StepAddress, at: Timestamp, payload: Payload?) {
        self.wait = wait
        self.address = address
        self.at = at
        self.payload = payload
    }
}

/// What a person is asked.
public struct ApprovalRequest: Hashable, Sendable {
    /// Who may decide, as the script wrote it: a JSON array of texts.
    public var to: Payload
    /// What they are shown: a JSON array of rows.
    public var show: Payload
    /// The outcomes to choose from.
    public var choices: [String]
    /// The choices that need a comment.
    public var commentRequiredOn: [String]

    public init(to: Payload, show: Payload, choices: [String], commentRequiredOn: [String] = []) {
        self.to = to
        self.show = show
        self.choices = choices
        self.commentRequiredOn = commentRequiredOn
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

    public init(outcome: String, by: String, at: Timestamp, comment: String? = nil, form: Payload? = nil) {
        self.outcome = outcome
        self.by = by
        self.at = at
        self.comment = comment
        self.form = form
    }

    /// What the script gets: `{"at":…,"by":…,"comment":…,"form":…,"outcome":…}`.
    public var payload: Payload {
        var fields: [String: JSON] = [
            "outcome": .string(outcome), "by": .string(by), "at": .string(at.description),
        ]
        if let comment { fields["comment"] = .string(comment) }
        if let form, let value = try? JSON(parsing: form) { fields["form"] = value }
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
    public var decision: Decision?

    public init(
        id: String, run: String, namespace: String, workflow: String, address: StepAddress,
        request: ApprovalRequest, status: ApprovalStatus, openedAt: Timestamp, dueAt: Timestamp?,
        decision: Decision? = nil
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
        self.decision = decision
    }
}
