/// What a person did: who, when, why, and what changed.
///
/// It is written with what was done, in the same transaction, and never changed.
public struct AuditRecord: Hashable, Sendable {
    /// Rises with every record.
    public var number: Int64
    public var at: Timestamp
    public var namespace: String
    public var by: String
    /// What was done: `cancel`, `retry`, `decide`, `start`, `batch.pause`, `secret.set` and so on.
    public var action: String
    /// The run that it was done to, by its public id.
    public var run: String?
    /// The approval that was decided.
    public var approval: String?
    /// The batch that it is a part of, or was done to.
    public var batch: String?
    /// The name of the secret that was set, sealed anew or removed.
    public var secret: String?
    /// The label of the step that it was about.
    public var step: String?
    public var reason: String?
    /// How it stood before, as a JSON object: `{"status":"attention", …}`; `nil` for what was not there.
    public var before: Payload?
    /// How it stands after.
    public var after: Payload?

    public init(
        number: Int64, at: Timestamp, namespace: String, by: String, action: String, run: String? = nil,
        approval: String? = nil, batch: String? = nil, secret: String? = nil, step: String? = nil,
        reason: String? = nil, before: Payload? = nil, after: Payload? = nil
    ) {
        self.number = number
        self.at = at
        self.namespace = namespace
        self.by = by
        self.action = action
        self.run = run
        self.approval = approval
        self.batch = batch
        self.secret = secret
        self.step = step
        self.reason = reason
        self.before = before
        self.after = after
    }
}

/// Which audit records to list.
///
/// Every set field narrows the list.
public struct AuditQuery: Hashable, Sendable {
    public var namespace: String
    /// Only what was done to this run, by its public id.
    public var run: String?
    /// At most this many, 1 to 500.
    public var limit: Int
    /// ``AuditPage/nextCursor`` of the page before.
    public var cursor: Int64?

    public init(namespace: String, run: String? = nil, limit: Int = 50, cursor: Int64? = nil) {
        self.namespace = namespace
        self.run = run
        self.limit = limit
        self.cursor = cursor
    }
}

/// A page of audit records, newest first.
public struct AuditPage: Hashable, Sendable {
    public var records: [AuditRecord]
    /// Where the next page begins; `nil` on the last one.
    public var nextCursor: Int64?

    public init(records: [AuditRecord], nextCursor: Int64?) {
        self.records = records
        self.nextCursor = nextCursor
    }
}

extension RunRecord {
    /// What an audit record keeps of how a run stands.
    package var summary: Payload {
        var fields: [String: JSON] = [
            "status": .string(status.rawValue), "version": .int(Int64(version)),
            "entries": .int(Int64(entryCount)),
        ]
        if cancelRequest != nil { fields["asked_to_end"] = true }
        if pausedAt != nil, status != .paused { fields["asked_to_pause"] = true }
        return JSON.object(fields).bytes
    }
}

extension ApprovalRecord {
    /// What an audit record keeps of how an approval stands.
    package var summary: Payload {
        var fields: [String: JSON] = ["status": .string(status.rawValue)]
        if let decision { fields["outcome"] = .string(decision.outcome) }
        return JSON.object(fields).bytes
    }
}
