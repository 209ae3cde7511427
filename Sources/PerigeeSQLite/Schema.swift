import GRDB
import PerigeeJournal

/// The tables of a Perigee database, and how older ones become the present ones.
///
/// What a migration says never changes once somebody may have a file that it made: what comes later is the next one.
enum Schema {
    /// What marks a file as ours (`PRAGMA application_id`): the letters PERG.
    static let applicationID: Int32 = 0x5045_5247

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 facts") { db in
            for statement in runs + events + waits + relations + schedules + texts + actions + secrets {
                try db.execute(sql: statement)
            }
        }
        migrator.registerMigration("2 fast") { db in
            for statement in seed + retentionIndexes { try db.execute(sql: statement) }
        }
        return migrator
    }

    /// What changes with every commit stands in `runs`; what never changes and may be long stands in
    /// `run_inputs`, so that a commit does not write it again; an empty `correlation_id` stands for the run's
    /// own id.
    ///
    /// `wake_at` is when something is to come for the run; a run is owned exactly while its status is `running`.
    /// `entry_count` is the sequence of the last entry. `turn` is where the run stands in line (``Turn``); before its
    /// turn it has no `wake_at`, unless it waits for its time (turn 0). `place` and `begun_after` are those of a run
    /// that goes on for another one: where it stands in line, and the last event before it began. `held` says that its
    /// workflow's breaker holds it back.
    private static let runs = [
        """
        CREATE TABLE runs (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, namespace TEXT NOT NULL,
            workflow TEXT NOT NULL, version INTEGER NOT NULL, bundle TEXT NOT NULL, status TEXT NOT NULL,
            key TEXT, owner TEXT, epoch INTEGER NOT NULL DEFAULT 0, entry_count INTEGER NOT NULL DEFAULT 0,
            wake_at INTEGER, events_after INTEGER NOT NULL, created_at INTEGER NOT NULL, started_at INTEGER,
            ended_at INTEGER, timeout INTEGER, deadline_at INTEGER, tags BLOB, status_text TEXT, output BLOB,
            error BLOB, cancel_error BLOB, paused_at INTEGER, is_ending INTEGER NOT NULL DEFAULT 0,
            concurrency_key TEXT, turn INTEGER, parent INTEGER, continued_as TEXT, place INTEGER,
            begun_after INTEGER, held INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        """
        CREATE TABLE run_inputs (
            run INTEGER PRIMARY KEY, input BLOB NOT NULL, trigger BLOB NOT NULL, event_id TEXT,
            correlation_id TEXT NOT NULL, parent_id TEXT, parent_path TEXT, parent_label TEXT,
            parent_occurrence INTEGER, parent_policy TEXT, depth INTEGER, continued_from TEXT
        ) STRICT
        """,
        "CREATE INDEX runs_by_wake ON runs (namespace, wake_at) WHERE wake_at IS NOT NULL",
        "CREATE INDEX runs_by_status ON runs (status, namespace)",
        "CREATE INDEX runs_by_workflow ON runs (namespace, workflow)",
        "CREATE INDEX runs_by_key ON runs (namespace, key, workflow) WHERE key IS NOT NULL",
        """
        CREATE INDEX runs_by_open_key ON runs (namespace, key, workflow, COALESCE(place, number))
            WHERE key IS NOT NULL AND ended_at IS NULL
        """,
        """
        CREATE INDEX runs_by_turn ON runs (namespace, workflow, concurrency_key, turn, COALESCE(place, number))
            WHERE concurrency_key IS NOT NULL AND ended_at IS NULL
        """,
        "CREATE INDEX runs_by_time ON runs (namespace, wake_at) WHERE turn = 0",
        "CREATE INDEX runs_by_end ON runs (namespace, workflow, ended_at) WHERE ended_at IS NOT NULL",
        "CREATE INDEX runs_by_breaker ON runs (namespace, workflow, number) WHERE held",
        "CREATE INDEX runs_by_parent ON runs (parent) WHERE parent IS NOT NULL",
        // kind: 1 a step ended, 2 a wait opened, 3 the version moved, 4 an end was requested (its status stands in
        // `verb`, its error in `outcome`), 5 a reset (of the sequences in `arguments`, a JSON array), 6 a step began
        // that is done at most once.
        """
        CREATE TABLE entries (
            id INTEGER PRIMARY KEY, run INTEGER NOT NULL, sequence INTEGER NOT NULL,
            recorded_at INTEGER NOT NULL, kind INTEGER NOT NULL, path TEXT, label TEXT, occurrence INTEGER,
            verb TEXT, arguments BLOB, line INTEGER, succeeded INTEGER, outcome BLOB, attempts INTEGER,
            started_at INTEGER, wait TEXT, from_version INTEGER, to_version INTEGER, bundle TEXT
        ) STRICT
        """,
        "CREATE UNIQUE INDEX entries_by_run ON entries (run, sequence)",
        """
        CREATE TABLE annotations (
            id INTEGER PRIMARY KEY, run INTEGER NOT NULL, ordinal INTEGER, at INTEGER NOT NULL,
            kind TEXT NOT NULL, level TEXT NOT NULL, text TEXT NOT NULL, data BLOB, path TEXT, label TEXT,
            occurrence INTEGER
        ) STRICT
        """,
        "CREATE UNIQUE INDEX annotations_by_run ON annotations (run, ordinal)",
        "CREATE TABLE hosts (id TEXT PRIMARY KEY, lease_until INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        "CREATE TABLE probe (writes INTEGER NOT NULL) STRICT",
        "INSERT INTO probe VALUES (0)",
    ]

    /// `runs` is a JSON array of run ids, `refused` one of what was not started (``KeyTaken``).
    ///
    /// The order of `number` is the order in which waits look back.
    private static let events = [
        """
        CREATE TABLE events (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, namespace TEXT NOT NULL,
            source TEXT NOT NULL, source_id TEXT NOT NULL, type TEXT NOT NULL, data BLOB NOT NULL,
            at INTEGER NOT NULL, correlation_id TEXT NOT NULL, causation_id TEXT, runs TEXT NOT NULL,
            refused TEXT, UNIQUE (namespace, source, source_id)
        ) STRICT
        """,
        "CREATE INDEX events_by_type ON events (namespace, type)",
        """
        CREATE TABLE used_events (
            run INTEGER NOT NULL, event INTEGER NOT NULL, PRIMARY KEY (run, event)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE requests (
            namespace TEXT NOT NULL, key TEXT NOT NULL, digest TEXT, event_id TEXT, runs TEXT NOT NULL,
            at INTEGER NOT NULL, PRIMARY KEY (namespace, key)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX requests_by_runs ON requests (runs)",
    ]

    /// A wait's row is gone when the run has taken its answer; an approval's row stays.
    ///
    /// The order of `number` is the order in which waits were opened. kind: 1 a timer, 2 an event, 3 an
    /// approval, 4 a lock, 5 the end of a run, 6 the start of one, 7 the time of a step's next attempt, 8 a turn
    /// at a gate; `target` is the lock's or the gate's key or the run's id. `match` is what an event has to fit, or the
    /// ticket for a gate, and `delivered` the epoch in which a host was told that the gate let it through.
    /// `next_reminder` is set only while an approval waits and has a reminder to come.
    private static let waits = [
        """
        CREATE TABLE waits (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, run INTEGER NOT NULL, kind INTEGER NOT NULL,
            path TEXT NOT NULL, label TEXT NOT NULL, occurrence INTEGER NOT NULL, opened_at INTEGER NOT NULL,
            due_at INTEGER, namespace TEXT NOT NULL, event_type TEXT, match BLOB, index_key TEXT,
            target TEXT, answered_at INTEGER, answer BLOB, arrival INTEGER,
            is_result INTEGER NOT NULL DEFAULT 0, event INTEGER, delivered INTEGER
        ) STRICT
        """,
        "CREATE INDEX waits_by_run ON waits (run)",
        """
        CREATE INDEX waits_by_event ON waits (namespace, event_type, index_key)
            WHERE event_type IS NOT NULL AND answered_at IS NULL
        """,
        """
        CREATE INDEX waits_by_target ON waits (kind, target, namespace)
            WHERE target IS NOT NULL AND answered_at IS NULL
        """,
        """
        CREATE TABLE approvals (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, run INTEGER NOT NULL,
            namespace TEXT NOT NULL, path TEXT NOT NULL, label TEXT NOT NULL, occurrence INTEGER NOT NULL,
            kind TEXT NOT NULL, asked BLOB NOT NULL, shown BLOB NOT NULL, choices TEXT NOT NULL,
            comment_required TEXT NOT NULL, details BLOB NOT NULL, remind_at TEXT NOT NULL,
            status TEXT NOT NULL, opened_at INTEGER NOT NULL, due_at INTEGER,
            reminders_told INTEGER NOT NULL DEFAULT 0, next_reminder INTEGER, outcome TEXT, decided_by TEXT,
            decided_at INTEGER, comment TEXT, form BLOB, data BLOB, via TEXT, shown_hash TEXT
        ) STRICT
        """,
        """
        CREATE INDEX approvals_by_due
            ON approvals (namespace, status, kind, COALESCE(due_at, 9223372036854775807), opened_at)
        """,
        """
        CREATE INDEX approvals_by_reminder ON approvals (namespace, next_reminder)
            WHERE next_reminder IS NOT NULL
        """,
        "CREATE INDEX approvals_by_run ON approvals (run)",
    ]

    /// Locks that runs hold, in the order of `number` in which they were granted, gates of destinations (``Gate``), and
    /// the values of `flow.state`.
    private static let relations = [
        """
        CREATE TABLE locks (
            number INTEGER PRIMARY KEY, namespace TEXT NOT NULL, key TEXT NOT NULL, run INTEGER NOT NULL,
            wait TEXT NOT NULL, path TEXT NOT NULL, label TEXT NOT NULL, occurrence INTEGER NOT NULL,
            since INTEGER NOT NULL, UNIQUE (namespace, key)
        ) STRICT
        """,
        "CREATE INDEX locks_by_run ON locks (run)",
        """
        CREATE TABLE gates (
            namespace TEXT NOT NULL, key TEXT NOT NULL, state BLOB NOT NULL, due_at INTEGER,
            forget_at INTEGER, PRIMARY KEY (namespace, key)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX gates_by_time ON gates (namespace, due_at) WHERE due_at IS NOT NULL",
        """
        CREATE TABLE state (
            id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, workflow TEXT NOT NULL, key TEXT NOT NULL,
            value BLOB NOT NULL, UNIQUE (namespace, workflow, key)
        ) STRICT
        """,
    ]

    /// What the places of strings in Lua's tables follow from: each replay of a run has to have the same.
    private static let seed = [
        "CREATE TABLE store (hash_seed INTEGER NOT NULL) STRICT",
        "INSERT INTO store VALUES (random() & 4294967295)",
    ]

    /// What retention looks for.
    private static let retentionIndexes = [
        "DROP INDEX requests_by_runs",
        "CREATE INDEX requests_by_runs ON requests (runs) WHERE event_id IS NULL",
        "CREATE INDEX requests_by_event ON requests (event_id) WHERE event_id IS NOT NULL",
        """
        CREATE INDEX state_by_reply ON state (namespace, \(keptReplyUntil), workflow, key)
            WHERE \(isKeptReply)
        """,
    ]

    /// Whether a value of `state` is a kept reply (``KeptReply``), and until when: as `state_by_reply` has them.
    static let isKeptReply = "substr(key, 1, \(KeptReply.prefix.count)) = '\(KeptReply.prefix)'"
    static let keptReplyUntil = "json_extract(CAST(value AS TEXT), '$.until')"

    /// `pending` is a JSON array of milliseconds.
    ///
    /// A row of `schedule_runs` goes away some time after its run has ended.
    private static let schedules = [
        """
        CREATE TABLE schedules (
            namespace TEXT NOT NULL, id TEXT NOT NULL, workflow TEXT NOT NULL, revision INTEGER NOT NULL,
            last_occurrence INTEGER NOT NULL, last_started INTEGER, pending TEXT NOT NULL,
            withdrawn_at INTEGER, note TEXT, PRIMARY KEY (namespace, id)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE schedule_runs (
            namespace TEXT NOT NULL, schedule TEXT NOT NULL, run INTEGER NOT NULL,
            PRIMARY KEY (namespace, schedule, run)
        ) STRICT, WITHOUT ROWID
        """,
    ]

    /// `keep` is in milliseconds; the largest number stands for ever.
    ///
    /// `due_at` is set while a breaker is open: then the next run may be tried.
    private static let texts = [
        """
        CREATE TABLE versions (
            namespace TEXT NOT NULL, workflow TEXT NOT NULL, number INTEGER NOT NULL, bundle TEXT NOT NULL,
            created_at INTEGER NOT NULL, concurrency_limit INTEGER, keep INTEGER, breaker BLOB,
            PRIMARY KEY (namespace, workflow, number)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE breakers (
            namespace TEXT NOT NULL, workflow TEXT NOT NULL, state BLOB NOT NULL, due_at INTEGER,
            PRIMARY KEY (namespace, workflow)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE texts (
            id INTEGER PRIMARY KEY, bundle TEXT NOT NULL, path TEXT NOT NULL, text BLOB NOT NULL,
            UNIQUE (bundle, path)
        ) STRICT
        """,
    ]
}
