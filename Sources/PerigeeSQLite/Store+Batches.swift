import GRDB
import PerigeeJournal

extension Store {
    /// A run of a running batch that was not acted on.
    struct PendingItem {
        var batch: Int64
        var place: Int
    }

    func createBatch(_ batch: Batch, runs: [String]) throws -> Batch {
        var seen: Set<String> = []
        let runs = runs.filter { seen.insert($0).inserted }
        try insert(
            """
            INSERT INTO batches (id, namespace, action, options, search, by, reason, at_once, per_minute,
                created_at, status, ended_at, pending)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                batch.id, batch.namespace, batch.action, batch.options, batch.search, batch.by,
                batch.reason, batch.atOnce, batch.perMinute, batch.createdAt.milliseconds,
                runs.isEmpty ? "completed" : "running", runs.isEmpty ? batch.createdAt.milliseconds : nil,
                runs.count,
            ], taken: "the batch id \(batch.id)")
        try run(
            "INSERT INTO batch_items (batch, place, run) SELECT ?, key + 1, value FROM json_each(?)",
            [db.lastInsertedRowID, runs.list])
        guard let created = try self.batch(id: batch.id) else { return batch }
        try record(
            AuditRecord(
                number: 0, at: batch.createdAt, namespace: batch.namespace, by: batch.by,
                action: "batch.\(batch.action)", batch: batch.id, reason: batch.reason,
                after: created.summary))
        return created
    }

    func steerBatch(
        _ id: String, to status: Batch.Status, note: ActionNote, now: Timestamp
    ) throws -> (batch: Batch, isChanged: Bool)? {
        guard let batch = try batch(id: id) else { return nil }
        guard batch.canBecome(status) else { return (batch, false) }
        try run(
            "UPDATE batches SET status = ?, ended_at = ? WHERE id = ?",
            [status.rawValue, status.isFinal ? now.milliseconds : nil, id])
        guard let after = try self.batch(id: id) else { return nil }
        try record(
            AuditRecord(
                number: 0, at: now, namespace: batch.namespace, by: note.by, action: note.action, batch: id,
                reason: note.reason, before: batch.summary, after: after.summary))
        return (after, true)
    }

    func pendingItem(_ batch: String, run: String) throws -> PendingItem? {
        try first(
            """
            SELECT b.number, i.place FROM batches b JOIN batch_items i ON i.batch = b.number
            WHERE b.id = ? AND b.status = 'running' AND i.run = ? AND i.state = 0
            """, [batch, run]
        ) { PendingItem(batch: try $0.next(), place: try $0.next()) }
    }

    func refuseItem(batch: String, run: String, error: Payload, now: Timestamp) throws {
        guard let item = try pendingItem(batch, run: run) else { return }
        try finish(item, .refused, error: error, now: now)
    }

    func finish(
        _ item: PendingItem, _ state: BatchItem.State, error: Payload?, now: Timestamp
    ) throws {
        try run(
            "UPDATE batch_items SET state = ?, at = ?, error = ? WHERE batch = ? AND place = ?",
            [state.number, now.milliseconds, error, item.batch, item.place])
        try run(
            """
            UPDATE batches SET pending = pending - 1, done = done + ?1, refused = refused + 1 - ?1,
                status = CASE WHEN pending = 1 THEN 'completed' ELSE status END,
                ended_at = CASE WHEN pending = 1 THEN ?2 ELSE ended_at END
            WHERE number = ?3
            """, [state == .done ? 1 : 0, now.milliseconds, item.batch])
    }

    private static let batchColumns = """
        SELECT id, namespace, action, options, search, by, reason, at_once, per_minute, created_at, status,
            ended_at, pending, done, refused FROM batches
        """

    private func decodeBatch(_ row: inout Columns) throws -> Batch {
        Batch(
            id: try row.next(), namespace: try row.next(), action: try row.next(),
            options: try row.payload(), search: try row.next(), by: try row.next(), reason: try row.next(),
            atOnce: try row.next(), perMinute: try row.next(), createdAt: try row.time(),
            status: try row.choice(), endedAt: try row.optionalTime(),
            counts: Batch.Counts(pending: try row.next(), done: try row.next(), refused: try row.next()))
    }

    func batch(id: String) throws -> Batch? {
        try first("\(Self.batchColumns) WHERE id = ?", [id], decodeBatch)
    }

    func batches(namespace: String, isFinal: Bool?, limit: Int) throws -> [Batch] {
        let statuses = Batch.Status.allCases.filter { isFinal == nil || $0.isFinal == isFinal }
        return try all(
            """
            \(Self.batchColumns) WHERE namespace = ? AND status IN (SELECT value FROM json_each(?))
            ORDER BY number DESC LIMIT ?
            """, [namespace, statuses.map(\.rawValue).list, limit], decodeBatch)
    }

    func items(_ query: BatchItemQuery) throws -> [BatchItem] {
        var conditions = "batch = (SELECT number FROM batches WHERE id = ?) AND place > ?"
        var values: [Value] = [query.batch, query.after]
        if let state = query.state {
            conditions += " AND state = ?"
            values.append(state.number)
        }
        return try all(
            """
            SELECT place, run, state, at, error FROM batch_items WHERE \(conditions) ORDER BY place LIMIT ?
            """, values + [query.limit]
        ) { row in
            BatchItem(
                place: try row.next(), run: try row.next(), state: try row.itemState(),
                at: try row.optionalTime(), error: try row.optionalPayload())
        }
    }

    func activeRuns(batch: String) throws -> Int {
        try first(
            """
            SELECT COUNT(*) FROM runs WHERE status IN ('queued', 'running') AND id IN (
                SELECT run FROM batch_items
                WHERE batch = (SELECT number FROM batches WHERE id = ?) AND state = 1)
            """, [batch]
        ) { try $0.next() } ?? 0
    }
}

extension BatchItem.State {
    fileprivate var number: Int {
        switch self {
        case .pending: 0
        case .done: 1
        case .refused: 2
        }
    }
}

extension Columns {
    fileprivate mutating func itemState() throws -> BatchItem.State {
        let number: Int = try next()
        guard BatchItem.State.allCases.indices.contains(number) else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "\(number) is not a state of an item")
        }
        return BatchItem.State.allCases[number]
    }
}
