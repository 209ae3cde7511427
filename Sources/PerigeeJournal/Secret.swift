/// A secret as a store keeps it: sealed, so that a journal never sees its value.
public struct SealedSecret: Hashable, Sendable {
    public var namespace: String
    /// Unique in its namespace.
    public var name: String
    /// The hosts that it may be sent to; empty if it may be sent to any.
    public var hosts: [String]
    /// The id of the master key that it is sealed by.
    public var keyID: String
    public var sealed: Payload
    public var createdAt: Timestamp
    /// When its value or its hosts were set; another master key changes neither.
    public var updatedAt: Timestamp

    public init(
        namespace: String, name: String, hosts: [String], keyID: String, sealed: Payload,
        createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.namespace = namespace
        self.name = name
        self.hosts = hosts
        self.keyID = keyID
        self.sealed = sealed
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// What an audit record keeps of it.
    package var summary: Payload {
        JSON.object(["hosts": .array(hosts.map { .string($0) }), "key": .string(keyID)]).bytes
    }

    /// The audit record of a change.
    ///
    /// - Parameters:
    ///   - before: the secret as it stood before; `nil` if there was none.
    ///   - after: the secret as it stands now; `nil` if there is none any more.
    package static func audit(
        from before: SealedSecret?, to after: SealedSecret?, note: ActionNote, now: Timestamp
    ) -> AuditRecord? {
        guard let one = after ?? before else { return nil }
        return AuditRecord(
            number: 0, at: now, namespace: one.namespace, by: note.by, action: note.action, secret: one.name,
            reason: note.reason, before: before?.summary, after: after?.summary)
    }
}
