import GRDB
import PerigeeJournal

/// What is removed when it has been kept long enough.
extension Store {
    /// The condition of a run that may go: the one place that says so.
    private static let mayGo = """
        namespace = ? AND workflow = ? AND ended_at <= ? AND NOT EXISTS (
            SELECT 1 FROM runs parents WHERE parents.number = runs.parent AND parents.ended_at IS NULL)
        """

    func removeExpired(_ expiry: Expiry, now: Timestamp) throws -> Removal {
        var removal = Removal(runs: 0, events: 0, afterEvent: expiry.afterEvent ?? 0)
        if expiry.afterEvent == nil { try removeIdle(of: expiry.namespace, now: now) }
        var work = 0
        var workflow = try workflow(after: "", in: expiry.namespace)
        while let current = workflow {
            let keep = try rules(of: current, in: expiry.namespace).keep ?? expiry.keep
            if let end = keep.end(at: now) {
                for run in try expiredRuns(current, expiry, endedBefore: end) {
                    guard work < expiry.limit else { return removal }
                    work += 1 + (try remove(run.number, id: run.id))
                    removal.runs += 1
                }
            }
            guard work < expiry.limit else { return removal }
            workflow = try self.workflow(after: current, in: expiry.namespace)
        }
        try removeEvents(expiry, now: now, &removal)
        return removal
    }

    private func removeIdle(of namespace: String, now: Timestamp) throws {
        try run("DELETE FROM gates WHERE namespace = ? AND forget_at <= ?", [namespace, now.milliseconds])
        try run(
            """
            DELETE FROM state WHERE namespace = ? AND substr(key, 1, ?) = ?
                AND json_extract(CAST(value AS TEXT), '$.until') <= ?
            """, [namespace, KeptReply.prefix.count, KeptReply.prefix, now.milliseconds])
    }

    /// The next workflow, in order of their ids, that has runs which have ended.
    private func workflow(after workflow: String, in namespace: String) throws -> String? {
        try first(
            """
            SELECT MIN(workflow) FROM runs WHERE namespace = ? AND workflow > ? AND ended_at IS NOT NULL
            """, [namespace, workflow]
        ) { try $0.next() as String? } ?? nil
    }

    private func expiredRuns(
        _ workflow: String, _ expiry: Expiry, endedBefore end: Timestamp
    ) throws -> [(number: Int64, id: String)] {
        try all(
            "SELECT number, id FROM runs WHERE \(Self.mayGo) ORDER BY ended_at, number LIMIT ?",
            [expiry.namespace, workflow, end.milliseconds, expiry.limit]
        ) { row in (number: try row.next(), id: try row.next()) }
    }

    /// Removes a run with all that belongs to it.
    ///
    /// - Returns: how many rows were removed besides its own.
    private func remove(_ number: Int64, id: String) throws -> Int {
        var rows = 0
        for table in ["entries", "annotations"] {
            try run("DELETE FROM \(table) WHERE run = ?", [number])
            rows += db.changesCount
        }
        try run("DELETE FROM approvals WHERE run = ?", [number])
        try run("DELETE FROM used_events WHERE run = ?", [number])
        try run("DELETE FROM requests WHERE runs = ?", [[id].list])
        try run("DELETE FROM run_inputs WHERE run = ?", [number])
        try run("DELETE FROM runs WHERE number = ?", [number])
        return rows
    }

    private func removeEvents(_ expiry: Expiry, now: Timestamp, _ removal: inout Removal) throws {
        guard let end = expiry.keep.end(at: now) else { return removal.afterEvent = nil }
        let old = try all(
            """
            SELECT number, runs, at FROM events WHERE namespace = ? AND number > ? AND number <= ?
            ORDER BY number LIMIT ?
            """,
            [
                expiry.namespace, removal.afterEvent, try lastUnneededEvent(in: expiry.namespace),
                expiry.limit,
            ]
        ) { row in
            (number: try row.next() as Int64, runs: try row.next() as String, at: try row.time())
        }
        .prefix { $0.at <= end }
        removal.afterEvent = old.count < expiry.limit ? nil : old.last?.number
        for event in old {
            try run(
                """
                DELETE FROM events WHERE number = ?
                    AND NOT EXISTS (SELECT 1 FROM runs WHERE id IN (SELECT value FROM json_each(?)))
                """, [event.number, event.runs])
            removal.events += db.changesCount
        }
    }

    /// The last event that no run could look back at any more.
    ///
    /// A run that goes on for another one looks back as far as events are kept, counted from its own beginning. Runs
    /// that were created later look back less far, so only the oldest one of each status has to be looked at.
    private func lastUnneededEvent(in namespace: String) throws -> Int64 {
        let open = try RunStatus.allCases.filter { !$0.isFinal }.compactMap { status in
            try first(
                """
                SELECT COALESCE(begun_after, events_after) FROM runs WHERE status = ? AND namespace = ?
                ORDER BY number LIMIT 1
                """, [status.rawValue, namespace]
            ) { try $0.next() as Int64 }
        }
        return open.min() ?? .max
    }
}
