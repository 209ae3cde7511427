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
    /// The event (see ``EventRecord/envelope``) or the decision (see ``Decision/payload``);
    /// `nil` when the time ran out.
    public var payload: Payload?
    /// Whether a person gave it (``RunAction/setResult(_:_:)``): the payload is then the step's outcome as it is, and
    /// the step may be one that does not wait.
    public var isResult: Bool

    public init(
        wait: String, address: StepAddress, at: Timestamp, payload: Payload?, isResult: Bool = false
    ) {
        self.wait = wait
        self.address = address
        self.at = at
        self.payload = payload
        self.isResult = isResult
    }
}
