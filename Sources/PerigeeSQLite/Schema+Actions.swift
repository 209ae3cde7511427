extension Schema {
    /// What people did, and what is done to many runs.
    ///
    /// The state of an item: 0 pending, 1 done, 2 refused.
    static let actions = [
        """
        CREATE TABLE audit (
            number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, namespace TEXT NOT NULL,
            by TEXT NOT NULL, action TEXT NOT NULL, run TEXT, approval TEXT, batch TEXT, secret TEXT,
            step TEXT, reason TEXT, before BLOB, after BLOB
        ) STRICT
        """,
        "CREATE INDEX audit_by_run ON audit (run) WHERE run IS NOT NULL",
        """
        CREATE TABLE batches (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, namespace TEXT NOT NULL,
            action TEXT NOT NULL, options BLOB NOT NULL, search TEXT NOT NULL, by TEXT NOT NULL, reason TEXT,
            at_once INTEGER, per_minute INTEGER, created_at INTEGER NOT NULL, status TEXT NOT NULL,
            ended_at INTEGER, pending INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0,
            refused INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        """
        CREATE TABLE batch_items (
            batch INTEGER NOT NULL, place INTEGER NOT NULL, run TEXT NOT NULL,
            state INTEGER NOT NULL DEFAULT 0, at INTEGER, error BLOB, PRIMARY KEY (batch, place)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE UNIQUE INDEX batch_items_by_run ON batch_items (batch, run)",
        "CREATE INDEX batch_items_by_state ON batch_items (batch, state, place)",
    ]
}
