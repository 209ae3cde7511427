import GRDB
import PerigeeJournal

extension Store {
    func schedules(namespace: String) throws -> [ScheduleRecord] {
        let records = try all(
            "\(Self.scheduleColumns) WHERE namespace = ? ORDER BY id", [namespace], decodeSchedule)
        return try records.map(withOpenRuns)
    }

    /// Moves a schedule on; `nil` if another host has done so since it was read.
    func advance(_ advance: ScheduleAdvance, now: Timestamp) throws -> ScheduleReceipt? {
        var wanted = advance.schedule
        let stored = try first(
            "SELECT revision FROM schedules WHERE namespace = ? AND id = ?", [wanted.namespace, wanted.id]
        ) { try $0.next() as Int64 }
        guard wanted.revision == stored ?? 0 else { return nil }
        if let fault = advance.fault { throw fault }
        let others = advance.terminates == nil ? [] : try openRuns(of: wanted, limit: .max)
        let submission = Submission(namespace: wanted.namespace, starts: advance.starts)
        let receipt = advance.starts.isEmpty ? nil : try submit(submission, now: now).receipt
        let runs = receipt?.runs ?? []
        for other in others {
            try end(other.number, .terminated, output: nil, error: advance.terminates, at: now)
        }
        for id in runs {
            try run(
                """
                INSERT INTO schedule_runs SELECT ?, ?, number FROM runs WHERE id = ? ON CONFLICT DO NOTHING
                """, [wanted.namespace, wanted.id, id])
        }
        try forgetEnded(wanted)
        wanted.revision += 1
        if let taken = receipt?.refused.last { wanted.note = taken.sentence }
        try save(wanted)
        return ScheduleReceipt(
            schedule: try withOpenRuns(wanted), runs: runs,
            terminated: try others.compactMap { try plainRun($0.number) },
            cancelled: receipt?.cancelled ?? [])
    }

    private func save(_ record: ScheduleRecord) throws {
        let pending = JSON.array(record.pending.map { .int($0.milliseconds) })
        try run(
            "INSERT OR REPLACE INTO schedules VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                record.namespace, record.id, record.workflow, record.revision,
                record.lastOccurrence.milliseconds,
                record.lastStarted?.milliseconds, pending.text, record.withdrawnAt?.milliseconds, record.note,
            ])
    }

    private func forgetEnded(_ schedule: ScheduleRecord) throws {
        try run(
            """
            DELETE FROM schedule_runs WHERE namespace = ? AND schedule = ?
                AND NOT EXISTS (SELECT 1 FROM runs WHERE number = run AND ended_at IS NULL)
            """, [schedule.namespace, schedule.id])
    }

    private func openRuns(of schedule: ScheduleRecord, limit: Int) throws -> [(number: Int64, id: String)] {
        try all(
            """
            SELECT r.number, r.id FROM schedule_runs s JOIN runs r ON r.number = s.run
            WHERE s.namespace = ? AND s.schedule = ? AND r.ended_at IS NULL AND r.status <> 'attention'
            ORDER BY s.run LIMIT ?
            """, [schedule.namespace, schedule.id, limit]
        ) { row in (number: try row.next(), id: try row.next()) }
    }

    private func withOpenRuns(_ record: ScheduleRecord) throws -> ScheduleRecord {
        var record = record
        record.openRuns = try openRuns(of: record, limit: ScheduleRecord.mostOpenRuns).map(\.id)
        return record
    }

    private static let scheduleColumns = """
        SELECT namespace, id, workflow, revision, last_occurrence, last_started, pending, withdrawn_at, note
        FROM schedules
        """

    private func decodeSchedule(_ row: inout Columns) throws -> ScheduleRecord {
        let namespace: String = try row.next()
        let id: String = try row.next()
        let workflow: String = try row.next()
        let revision: Int64 = try row.next()
        let lastOccurrence = try row.time()
        let lastStarted = try row.optionalTime()
        let pending: String = try row.next()
        let times = try JSON(parsing: pending.utf8).array?.compactMap(\.int) ?? []
        return ScheduleRecord(
            namespace: namespace, id: id, workflow: workflow, revision: revision,
            lastOccurrence: lastOccurrence,
            lastStarted: lastStarted, pending: times.map(Timestamp.init(milliseconds:)),
            withdrawnAt: try row.optionalTime(), note: try row.next())
    }
}
