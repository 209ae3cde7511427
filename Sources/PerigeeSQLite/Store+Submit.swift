import GRDB
import PerigeeJournal

extension Store {
    /// Accepts one submission; `wakes` tells whether a run can be claimed now that could not before.
    func submit(_ submission: Submission, now: Timestamp) throws -> (receipt: SubmissionReceipt, wakes: Bool)
    {
        if let fault = submission.fault { throw fault }
        if let earlier = try earlierReceipt(of: submission) { return (earlier, false) }
        var wakes = false
        var eventNumber: Int64?
        if let event = submission.event {
            let number = try record(event)
            wakes = try answerWaits(with: event, number, now: now)
            eventNumber = number
        }
        let eventsAfter = try eventNumber ?? newestEvent(isNeeded: !submission.starts.isEmpty)
        var runs: [String] = []
        for start in submission.starts {
            let (id, isReady) = try begin(start, of: submission, eventsAfter: eventsAfter, now: now)
            runs.append(id)
            wakes = wakes || isReady
        }
        if let eventNumber, !runs.isEmpty {
            try run("UPDATE events SET runs = ? WHERE number = ?", [runs.list, eventNumber])
        }
        let receipt = SubmissionReceipt(eventID: submission.event?.id, runs: runs, isDuplicate: false)
        if let key = submission.idempotencyKey {
            try run(
                "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?)",
                [
                    submission.namespace, key, submission.requestDigest, receipt.eventID, runs.list,
                    now.milliseconds,
                ])
        }
        return (receipt, wakes)
    }

    private func earlierReceipt(of submission: Submission) throws -> SubmissionReceipt? {
        if let key = submission.idempotencyKey {
            let earlier = try first(
                "SELECT digest, event_id, runs FROM requests WHERE namespace = ? AND key = ?",
                [submission.namespace, key]
            ) { row in
                let digest: String? = try row.next()
                return (
                    digest,
                    SubmissionReceipt(eventID: try row.next(), runs: try row.list(), isDuplicate: true)
                )
            }
            if let (digest, receipt) = earlier {
                guard digest == submission.requestDigest else {
                    throw JournalError.idempotencyKeyReused(key: key)
                }
                return receipt
            }
        }
        guard let event = submission.event else { return nil }
        return try first(
            "SELECT id, runs FROM events WHERE namespace = ? AND source = ? AND source_id = ?",
            [event.namespace, event.source, event.sourceID]
        ) { row in
            SubmissionReceipt(eventID: try row.next(), runs: try row.list(), isDuplicate: true)
        }
    }

    private func record(_ event: EventRecord) throws -> Int64 {
        try insert(
            """
            INSERT INTO events (id, namespace, source, source_id, type, data, at, runs)
            VALUES (?, ?, ?, ?, ?, ?, ?, '[]')
            """,
            [
                event.id, event.namespace, event.source, event.sourceID, event.type, event.data.blob,
                event.at.milliseconds,
            ], taken: "the event id \(event.id)")
        return db.lastInsertedRowID
    }

    func event(_ number: Int64) throws -> EventRecord? {
        try first(
            "SELECT id, namespace, source, source_id, type, data, at FROM events WHERE number = ?", [number]
        ) { row in
            EventRecord(
                id: try row.next(), namespace: try row.next(), source: try row.next(),
                sourceID: try row.next(), type: try row.next(), data: try row.payload(), at: try row.time())
        }
    }

    /// Answers with a new event the oldest wait that it matches of every run.
    private func answerWaits(with event: EventRecord, _ number: Int64, now: Timestamp) throws -> Bool {
        guard try hasWaits(forType: event.type, in: event.namespace) else { return false }
        let data = (try? JSON(parsing: event.data)) ?? .null
        let keys = EventMatch.indexKeys(of: data)
        var answered: Set<Int64> = []
        var wakes = false
        for (wait, match) in try waits(forType: event.type, in: event.namespace, keys: keys) {
            guard !answered.contains(wait.run), match.matches(data, now: now) else { continue }
            answered.insert(wait.run)
            if try answer(wait, payload: event.envelope, event: number, at: now) { wakes = true }
        }
        return wakes
    }

    private func newestEvent(isNeeded: Bool) throws -> Int64 {
        guard isNeeded else { return 0 }
        return try first("SELECT COALESCE(MAX(number), 0) FROM events", []) { try $0.next() as Int64 } ?? 0
    }

    private func begin(
        _ start: NewRun, of submission: Submission, eventsAfter: Int64, now: Timestamp
    ) throws -> (id: String, isReady: Bool) {
        if let key = start.key {
            let earlier = try first(
                "SELECT id FROM runs WHERE namespace = ? AND key = ? AND workflow = ?",
                [submission.namespace, key, start.workflow]
            ) { try $0.next() as String }
            if let earlier { return (earlier, false) }
        }
        let startAt = start.status == .queued ? max(now, start.startAt ?? now) : nil
        try insert(
            """
            INSERT INTO runs (id, namespace, workflow, version, bundle, status, key, wake_at, events_after,
                created_at, error, timeout, parent)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT number FROM runs WHERE id = ?))
            """,
            [
                start.id, submission.namespace, start.workflow, start.version, start.bundle,
                start.status.rawValue, start.key, startAt?.milliseconds, eventsAfter,
                now.milliseconds, start.error?.blob, start.timeoutMilliseconds, start.parent?.run,
            ], taken: "the run id \(start.id)")
        try run(
            "INSERT INTO run_inputs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            [
                db.lastInsertedRowID, start.input.blob, start.trigger.blob, submission.event?.id,
                start.correlationID, start.parent?.run, start.parent?.step.path, start.parent?.step.label,
                start.parent?.step.occurrence, start.parent?.onEnd.rawValue, start.parent?.depth,
            ])
        return (start.id, startAt.map { $0 <= now } ?? false)
    }
}
