/// Something that a run waits for.
///
/// The first answer counts: an event, a decision, or its time running out.
public struct Wait: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// Nothing but its time.
        case timer
        /// The time of the next attempt at a step that failed.
        case retry
        /// Its turn at the gate of a destination: answers with `{"granted":true}`, or `{"refused":…}` with the moment
        /// until which no calls are made there (see ``GateTicket/isImpatient``).
        ///
        /// Who was let through is under way there until the wait is closed.
        case gate(GateTicket)
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
    /// Whether a person gave it (``RunAction/setResult(_:_:)``): the payload is then the step's outcome as it is, and
    /// the step may be one that does not wait.
    public var isResult: Bool
    /// Whether a host was told of it under an earlier epoch of its run; only of a gate's.
    public var isRedelivered: Bool

    public init(
        wait: String, address: StepAddress, at: Timestamp, payload: Payload?, isResult: Bool = false,
        isRedelivered: Bool = false
    ) {
        self.wait = wait
        self.address = address
        self.at = at
        self.payload = payload
        self.isResult = isResult
        self.isRedelivered = isRedelivered
    }
}
