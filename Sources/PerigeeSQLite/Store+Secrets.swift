import GRDB
import PerigeeJournal

extension Store {
    func saveSecret(
        _ secret: SealedSecret, replacing: Payload?, note: ActionNote, now: Timestamp
    ) throws -> SealedSecret? {
        let before = try self.secret(secret.name, namespace: secret.namespace)
        if let replacing, before?.sealed != replacing { return nil }
        var secret = secret
        if let before { secret.createdAt = before.createdAt }
        try run(
            """
            INSERT INTO secrets (namespace, name, hosts, key_id, sealed, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (namespace, name) DO UPDATE SET hosts = excluded.hosts, key_id = excluded.key_id,
                sealed = excluded.sealed, updated_at = excluded.updated_at
            """,
            [
                secret.namespace, secret.name, secret.hosts.list, secret.keyID, secret.sealed,
                secret.createdAt.milliseconds, secret.updatedAt.milliseconds,
            ])
        try SealedSecret.audit(from: before, to: secret, note: note, now: now).map(record)
        return secret
    }

    func removeSecret(
        _ name: String, namespace: String, note: ActionNote, now: Timestamp
    ) throws -> SealedSecret? {
        guard let removed = try secret(name, namespace: namespace) else { return nil }
        try run("DELETE FROM secrets WHERE namespace = ? AND name = ?", [namespace, name])
        try SealedSecret.audit(from: removed, to: nil, note: note, now: now).map(record)
        return removed
    }

    func secret(_ name: String, namespace: String) throws -> SealedSecret? {
        try first(
            Self.secretColumns + " WHERE namespace = ? AND name = ?", [namespace, name], decodeSecret)
    }

    func secrets(namespace: String) throws -> [SealedSecret] {
        try all(Self.secretColumns + " WHERE namespace = ? ORDER BY name", [namespace], decodeSecret)
    }

    private static let secretColumns = """
        SELECT namespace, name, hosts, key_id, sealed, created_at, updated_at FROM secrets
        """

    private func decodeSecret(_ row: inout Columns) throws -> SealedSecret {
        SealedSecret(
            namespace: try row.next(), name: try row.next(), hosts: try row.list(), keyID: try row.next(),
            sealed: try row.payload(), createdAt: try row.time(), updatedAt: try row.time())
    }
}
