extension MemoryState {
    mutating func saveSecret(
        _ secret: SealedSecret, replacing: Payload?, note: ActionNote, now: Timestamp
    ) -> SealedSecret? {
        let name = Name(namespace: secret.namespace, first: secret.name)
        let before = secrets[name]
        if let replacing, before?.sealed != replacing { return nil }
        var secret = secret
        if let before { secret.createdAt = before.createdAt }
        secrets[name] = secret
        SealedSecret.audit(from: before, to: secret, note: note, now: now).map { record($0) }
        return secret
    }

    mutating func removeSecret(
        _ name: String, namespace: String, note: ActionNote, now: Timestamp
    ) -> SealedSecret? {
        let removed = secrets.removeValue(forKey: Name(namespace: namespace, first: name))
        SealedSecret.audit(from: removed, to: nil, note: note, now: now).map { record($0) }
        return removed
    }

    func secrets(namespace: String) -> [SealedSecret] {
        secrets.values.filter { $0.namespace == namespace }.sorted { $0.name < $1.name }
    }
}
