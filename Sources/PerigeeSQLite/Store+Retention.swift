import GRDB
import PerigeeJournal

/// What is removed when it has been kept long enough.
extension Store {
    func removeExpired(_ expiry: Expiry, now: Timestamp) throws -> Removal {
        var removal = Removal(runs: 0, events: 0, nextCursor: nil)
        var work = 0
        if expiry.beginsWithIdle {
            work += try removeIdle(expiry, now: now)
            removal.nextCursor = .idle
        }
        var workflow = try firstWorkflow(expiry)
        while let current = workflow, work < expiry.limit {
            for run in try endedRuns(current, expiry, limit: expiry.limit - work, now: now) {
                guard work < expiry.limit else { return removal }
                removal.nextCursor = .run(workflow: current, endedAt: run.endedAt, number: run.number)
                work += 1
                guard run.mayGo else { continue }
                work += try remove(run.number, id: run.id)
                removal.runs += 1
            }
            workflow = try self.workflow(after: current, in: expiry.namespace)
        }
        guard work < expiry.limit else { return removal }
        try removeEvents(expiry, now: now, &removal)
        return removal
    }

    /// - Returns: how many were removed.
    private func removeIdle(_ expiry: Expiry, now: Timestamp) throws -> Int {
        try run(
            """
            DELETE FROM gates WHERE namespace = ?1 AND key IN (
                SELECT key FROM gates WHERE namespace = ?1 AND forget_at <= ?2 ORDER BY key LIMIT ?3)
            """, [expiry.namespace, now.milliseconds, expiry.limit])
        let gates = db.changesCount
        try run(
            """
            DELETE FROM state WHERE id IN (
                SELECT id FROM state WHERE \(Schema.isKeptReply) AND namespace = ?
                    AND \(Schema.keptReplyUntil) <= ?
                ORDER BY \(Schema.keptReplyUntil), workflow, key LIMIT ?)
            """, [expiry.namespace, now.milliseconds, expiry.limit - gates])
        return gates + db.changesCount
    }

    /// The workflow whose runs are to be looked at first; `nil` if none is.
    private func firstWorkflow(_ expiry: Expiry) throws -> String? {
        switch expiry.cursor {
        case nil, .idle?: try workflow(after: "", in: expiry.namespace)
        case .run(let workflow, _, _)?: workflow
        case .event?: nil
        }
    }

    /// The next workflow, in order of their ids, that has runs which have ended.
    private func workflow(after workflow: String, in namespace: String) throws -> String? {
        try first(
            """
            SELECT MIN(workflow) FROM runs WHERE namespace = ? AND workflow > ? AND ended_at IS NOT NULL
            """, [namespace, workflow]
        ) { try $0.next() as String? } ?? nil
    }

    /// Runs that are old enough, those that ended first first, and whether they may go: a child stays until its parent
    /// has ended.
    private func endedRuns(
        _ workflow: String, _ expiry: Expiry, limit: Int, now: Timestamp
    ) throws -> [(number: Int64, id: String, endedAt: Timestamp, mayGo: Bool)] {
        let keep = try rules(of: workflow, in: expiry.namespace).keep ?? expiry.keep
        guard let end = keep.end(at: now) else { return [] }
        var after: (endedAt: Int64, number: Int64) = (.min, 0)
        if case .run(workflow, let endedAt, let number)? = expiry.cursor {
            after = (endedAt.milliseconds, number)
        }
        return try all(
            """
            SELECT number, id, ended_at, NOT EXISTS (
                SELECT 1 FROM runs parents WHERE parents.number = runs.parent AND parents.ended_at IS NULL)
            FROM runs WHERE namespace = ? AND workflow = ? AND ended_at <= ? AND (ended_at, number) > (?, ?)
            ORDER BY ended_at, number LIMIT ?
            """,
            [expiry.namespace, workflow, end.milliseconds, after.endedAt, after.number, limit]
        ) { row in
            (number: try row.next(), id: try row.next(), endedAt: try row.time(), mayGo: try row.next())
        }
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
        try run("DELETE FROM requests WHERE runs = ? AND event_id IS NULL", [[id].list])
        try run("DELETE FROM run_inputs WHERE run = ?", [number])
        try run("DELETE FROM runs WHERE number = ?", [number])
        return rows
    }

    private func removeEvents(_ expiry: Expiry, now: Timestamp, _ removal: inout Removal) throws {
        removal.nextCursor = nil
        guard let end = expiry.keep.end(at: now) else { return }
        let old = try all(
            """
            SELECT number, id, runs, at FROM events WHERE namespace = ? AND number > ? AND number <= ?
            ORDER BY number LIMIT ?
            """,
            [
                expiry.namespace, expiry.eventsAfter, try lastUnneededEvent(in: expiry.namespace),
                expiry.limit,
            ]
        ) { row in
            (
                number: try row.next() as Int64, id: try row.next() as String, runs: try row.next() as String,
                at: try row.time()
            )
        }
        .prefix { $0.at <= end }
        if old.count == expiry.limit { removal.nextCursor = old.last.map { .event($0.number) } }
        for event in old {
            try run(
                """
                DELETE FROM events WHERE number = ?
                    AND NOT EXISTS (SELECT 1 FROM runs WHERE id IN (SELECT value FROM json_each(?)))
                """, [event.number, event.runs])
            guard db.changesCount > 0 else { continue }
            removal.events += 1
            try run("DELETE FROM requests WHERE event_id = ?", [event.id])
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
