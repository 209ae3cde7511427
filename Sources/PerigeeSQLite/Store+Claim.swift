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
        let cancelRequested = try all(
            "SELECT number FROM runs WHERE owner = ? AND cancel_error IS NOT NULL ORDER BY number", [host]
        ) { try $0.next() as Int64 }
        return Heartbeat(freed: freed, cancelRequested: cancelRequested)
    }

    func release(host: String, now: Timestamp) throws {
        try run("DELETE FROM hosts WHERE id = ?", [host])
        _ = try free("status = 'running' AND owner = ?", [host], now: now)
    }

    /// Frees runs whose host is gone.
    ///
    /// A request to cancel one takes effect, as nobody works on it now.
    private func free(_ condition: String, _ values: [Value], now: Timestamp) throws -> Int {
        let cancelled = try all(
            "SELECT number, cancel_error FROM runs WHERE \(condition) AND cancel_error IS NOT NULL", values
        ) { row in (number: try row.next() as Int64, error: try row.payload()) }
        for run in cancelled {
            try end(run.number, .cancelled, output: nil, error: run.error, at: now)
        }
        try run(
            "UPDATE runs SET owner = NULL, status = 'queued', wake_at = ? WHERE \(condition)",
            [now.milliseconds] + values)
        return cancelled.count + db.changesCount
    }

    func claim(host: String, namespace: String, now: Timestamp, limit: Int, only: Int64?) throws -> Claim {
        let numbers =
            if let only {
                try all(
                    """
                    SELECT number FROM runs WHERE number = ? AND namespace = ? AND owner IS NULL
                        AND status IN ('queued', 'waiting') AND COALESCE(turn, 3) = 3
                    """, [only, namespace]
                ) { try $0.next() as Int64 }
            } else {
                try all(
                    """
                    SELECT number FROM runs WHERE namespace = ? AND wake_at <= ?
                    ORDER BY wake_at, number LIMIT ?
                    """, [namespace, now.milliseconds, limit]
                ) { try $0.next() as Int64 }
            }
        let runs = try numbers.compactMap { try take($0, host: host, now: now) }
        let nextDue = try first(
            """
            SELECT wake_at FROM runs WHERE namespace = ? AND wake_at IS NOT NULL ORDER BY wake_at LIMIT 1
            """, [namespace]
        ) { try $0.time() }
        return Claim(runs: runs, nextDue: nextDue)
    }

    private func take(_ number: Int64, host: String, now: Timestamp) throws -> ClaimedRun? {
        try answerDueWaits(of: number, now: now)
        try run(
            """
            UPDATE runs SET owner = ?, epoch = epoch + 1, status = 'running', wake_at = NULL,
                started_at = COALESCE(started_at, ?) WHERE number = ?
            """, [host, now.milliseconds, number])
        guard let run = try plainRun(number) else { return nil }
        return ClaimedRun(run: run, answers: try answers(of: number))
    }
}
