import GRDB
import PerigeeJournal

extension Store {
    func heartbeat(host: String, now: Timestamp, leaseUntil: Timestamp) throws -> Heartbeat {
        try run("DELETE FROM hosts WHERE lease_until <= ? AND id <> ?", [now.milliseconds, host])
        let freed = try free(
            "status = 'running' AND owner NOT IN (SELECT id FROM hosts)", [], now: now)
        try run(
            "INSERT INTO hosts VALUES (?, ?) ON CONFLICT DO UPDATE SET lease_until = excluded.lease_until",
            [host, leaseUntil.milliseconds])
        return Heartbeat(freed: freed)
    }

    func release(host: String, now: Timestamp) throws {
        try run("DELETE FROM hosts WHERE id = ?", [host])
        _ = try free("status = 'running' AND owner = ?", [host], now: now)
    }

    /// Frees runs whose host is gone.
    private func free(_ condition: String, _ values: [Value], now: Timestamp) throws -> Int {
        try run(
            """
            UPDATE runs SET owner = NULL, status = CASE WHEN paused_at IS NULL THEN 'queued' ELSE 'paused' END,
                wake_at = CASE WHEN paused_at IS NULL THEN ? END WHERE \(condition)
            """, [now.milliseconds] + values)
        return db.changesCount
    }

    func claim(host: String, namespace: String, now: Timestamp, limit: Int, only: Int64?) throws -> Claim {
        if only == nil { try answerAtDueGates(of: namespace, at: now) }
        let chosen =
            try only.map { try [candidate($0, namespace)].compactMap(\.self) }
            ?? candidates(host, namespace, now: now, limit: limit)
        let runs = try chosen.compactMap { $0.isOwned ? nil : try take($0.number, host: host, now: now) }
        let told = try chosen.compactMap { $0.isOwned ? try tell($0.number, now: now) : nil }
        let nextDue = try first(
            """
            SELECT at FROM (
                SELECT * FROM (
                    SELECT wake_at AS at FROM runs
                    WHERE namespace = ?1 AND wake_at IS NOT NULL AND (owner IS NULL OR owner = ?2)
                    ORDER BY wake_at LIMIT 1)
                UNION ALL SELECT * FROM (
                    SELECT due_at FROM gates WHERE namespace = ?1 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1))
            ORDER BY at LIMIT 1
            """, [namespace, host]
        ) { try $0.time() }
        return Claim(runs: runs, told: told, nextDue: nextDue)
    }

    private func candidate(_ number: Int64, _ namespace: String) throws -> (number: Int64, isOwned: Bool)? {
        try first(
            """
            SELECT number FROM runs WHERE number = ? AND namespace = ? AND owner IS NULL
                AND status IN ('queued', 'waiting') AND COALESCE(turn, 3) = 3
            """, [number, namespace]
        ) { (number: try $0.next(), isOwned: false) }
    }

    /// The runs that something has come for; those that only waited for their time go into their lines first.
    private func candidates(
        _ host: String, _ namespace: String, now: Timestamp, limit: Int
    ) throws -> [(number: Int64, isOwned: Bool)] {
        func found() throws -> [(number: Int64, isOwned: Bool, turn: Turn?)] {
            try all(
                """
                SELECT number, owner IS NOT NULL, turn FROM runs
                WHERE namespace = ? AND wake_at <= ? AND (owner IS NULL OR owner = ?)
                ORDER BY wake_at, number LIMIT ?
                """, [namespace, now.milliseconds, host, limit]
            ) { row in (number: try row.next(), isOwned: try row.next(), turn: try row.turn()) }
        }
        var candidates = try found()
        if candidates.contains(where: { $0.turn == .waitsForTime }) {
            try enterLines(of: namespace, now: now)
            candidates = try found()
        }
        return candidates.map { ($0.number, $0.isOwned) }
    }

    /// What has come for a run that goes on working.
    private func tell(_ number: Int64, now: Timestamp) throws -> ClaimedRun? {
        try answerDueWaits(of: number, now: now)
        try run(
            """
            UPDATE runs SET wake_at = (
                SELECT MIN(due) FROM (
                    SELECT MIN(due_at) AS due FROM waits WHERE run = ? AND answered_at IS NULL
                    UNION ALL SELECT CASE WHEN is_ending = 0 AND deadline_at > ? THEN deadline_at END))
            WHERE number = ?
            """, [number, now.milliseconds, number])
        guard let run = try plainRun(number) else { return nil }
        return ClaimedRun(run: run, answers: try answers(of: number))
    }

    private func take(_ number: Int64, host: String, now: Timestamp) throws -> ClaimedRun? {
        try answerDueWaits(of: number, now: now)
        try run(
            """
            UPDATE runs SET owner = ?1, epoch = epoch + 1, status = 'running',
                deadline_at = CASE WHEN started_at IS NULL THEN ?2 + timeout ELSE deadline_at END,
                wake_at = CASE WHEN is_ending THEN NULL WHEN started_at IS NULL THEN ?2 + timeout
                    ELSE deadline_at END,
                started_at = COALESCE(started_at, ?2) WHERE number = ?3
            """, [host, now.milliseconds, number])
        guard let run = try plainRun(number) else { return nil }
        return ClaimedRun(run: run, answers: try answers(of: number))
    }
}
