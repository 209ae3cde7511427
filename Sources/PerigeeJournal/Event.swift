/// Something that happened, told to the host from outside or by a run.
public struct EventRecord: Hashable, Sendable {
    /// The host's own id, `evt_` and 26 characters that sort by time.
    public var id: String
    public var namespace: String
    /// Who told it (CloudEvents `source`); with ``sourceID`` it tells duplicates.
    public var source: String
    /// The id that the source gave it (CloudEvents `id`).
    public var sourceID: String
    /// What happened: `lead.created` (CloudEvents `type`).
    public var type: String
    /// The event's data, any JSON value.
    public var data: Payload
    public var at: Timestamp
    /// What it belongs to together with the runs that it starts: that of the run that told it, what its sender says
    /// (CloudEvents extension `correlationid`), or its own ``id``.
    public var correlationID: String
    /// What it came of: the run that told it, or what its sender says (CloudEvents extension `causationid`).
    public var causationID: String?

    public init(
        id: String, namespace: String, source: String, sourceID: String, type: String, data: Payload,
        at: Timestamp, correlationID: String? = nil, causationID: String? = nil
    ) {
        self.id = id
        self.namespace = namespace
        self.source = source
        self.sourceID = sourceID
        self.type = type
        self.data = data
        self.at = at
        self.correlationID = correlationID ?? id
        self.causationID = causationID
    }

    /// What a script that waited for it gets:
    /// `{"at":…,"causation_id":…,"correlation_id":…,"data":…,"id":…,"source":…,"type":…}`.
    public var envelope: Payload {
        var value: [String: JSON] = [
            "id": .string(sourceID), "type": .string(type), "source": .string(source),
            "at": .string(at.description), "data": (try? JSON(parsing: data)) ?? .null,
            "correlation_id": .string(correlationID),
        ]
        if let causationID { value["causation_id"] = .string(causationID) }
        return JSON.object(value).bytes
    }
}

/// A run that is to be created.
public struct NewRun: Hashable, Sendable {
    public var id: String
    public var workflow: String
    public var version: Int
    public var bundle: String
    /// The business key: see ``onConflict``.
    public var key: String?
    /// What becomes of it where a run of this workflow has the same key.
    public var onConflict: KeyConflict
    /// Runs of this workflow with the same text here share the slots of its newest version
    /// (``WorkflowRules/concurrencyLimit``); `nil` if it needs no slot.
    public var concurrencyKey: String?
    public var input: Payload
    public var trigger: Payload
    public var correlationID: String
    /// ``RunStatus/queued``, or ``RunStatus/attention`` for one that can't begin as it is.
    public var status: RunStatus
    /// Why it needs attention.
    public var error: Payload?
    /// How long it may take from its start on, in milliseconds; `nil` for as long as it needs.
    public var timeoutMilliseconds: Int64?
    /// What is recorded for it before it begins: a part of what another run did.
    public var entries: [Entry]
    /// Who starts it by hand; an audit record says so.
    public var startedBy: ActionNote?
    /// The run that it is a fork of; the audit record is of that one.
    public var forkOf: String?
    /// It is not claimed before this moment; `nil` for at once.
    public var startAt: Timestamp?
    /// The run that starts it; in ``Commit/starts`` always that run, in ``Commit/continuation`` that run's parent.
    public var parent: RunParent?

    public init(
        id: String, workflow: String, version: Int, bundle: String, key: String? = nil,
        onConflict: KeyConflict = .useExisting, concurrencyKey: String? = nil, input: Payload,
        trigger: Payload, correlationID: String, status: RunStatus = .queued, error: Payload? = nil,
        timeoutMilliseconds: Int64? = nil, entries: [Entry] = [], startedBy: ActionNote? = nil,
        forkOf: String? = nil, startAt: Timestamp? = nil, parent: RunParent? = nil
    ) {
        self.id = id
        self.workflow = workflow
        self.version = version
        self.bundle = bundle
        self.key = key
        self.onConflict = onConflict
        self.concurrencyKey = concurrencyKey
        self.input = input
        self.trigger = trigger
        self.correlationID = correlationID
        self.status = status
        self.error = error
        self.timeoutMilliseconds = timeoutMilliseconds
        self.entries = entries
        self.startedBy = startedBy
        self.forkOf = forkOf
        self.startAt = startAt
        self.parent = parent
    }
}

/// What one caller hands in: an event with the runs it starts, or a run by itself.
public struct Submission: Hashable, Sendable {
    public var namespace: String
    /// The event.
    ///
    /// It is recorded, and answers the waits that match it.
    public var event: EventRecord?
    public var starts: [NewRun]
    /// The caller's `Idempotency-Key` (IETF draft-ietf-httpapi-idempotency-key-header), which stands for
    /// exactly this request.
    public var idempotencyKey: String?
    /// The digest of the request that `idempotencyKey` stands for.
    public var requestDigest: String?

    public init(
        namespace: String, event: EventRecord? = nil, starts: [NewRun], idempotencyKey: String? = nil,
        requestDigest: String? = nil
    ) {
        self.namespace = namespace
        self.event = event
        self.starts = starts
        self.idempotencyKey = idempotencyKey
        self.requestDigest = requestDigest
    }
}

/// What became of a submission.
public struct SubmissionReceipt: Hashable, Sendable {
    /// The id of the event: that of the first one where this is a duplicate.
    public var eventID: String?
    /// The ids of the runs, in the order of `starts`: of the earlier ones where a key, an idempotency key or a
    /// duplicate event names them.
    public var runs: [String]
    /// Whether the whole submission had been accepted before: nothing was done.
    public var isDuplicate: Bool
    /// The runs that the event did not start because their keys are taken.
    public var refused: [KeyTaken]
    /// Runs that one with the same key cancelled: they have ended, or unwind (``RunRecord/cancelRequest``).
    ///
    /// A duplicate names none.
    public var cancelled: [RunRecord]
    /// Those of the new runs that are the host's own already.
    public var claimed: [ClaimedRun]
    /// Whether there is something to claim, now or later, that there was not before.
    public var wakesRuns: Bool

    public init(
        eventID: String?, runs: [String], isDuplicate: Bool, refused: [KeyTaken] = [],
        cancelled: [RunRecord] = [], claimed: [ClaimedRun] = [], wakesRuns: Bool = false
    ) {
        self.eventID = eventID
        self.runs = runs
        self.isDuplicate = isDuplicate
        self.refused = refused
        self.cancelled = cancelled
        self.claimed = claimed
        self.wakesRuns = wakesRuns
    }
}

/// A host that takes up runs as they are accepted.
public struct Claimant: Hashable, Sendable {
    public var host: String
    /// At most this many runs, 0 or more.
    public var limit: Int

    public init(host: String, limit: Int) {
        self.host = host
        self.limit = limit
    }
}
