extension Schema {
    /// Secrets as they are sealed; `hosts` is a JSON array of texts.
    static let secrets = [
        """
        CREATE TABLE secrets (
            id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, hosts TEXT NOT NULL,
            key_id TEXT NOT NULL, sealed BLOB NOT NULL, created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL, UNIQUE (namespace, name)
        ) STRICT
        """
    ]
}
