import GRDB
import PerigeeJournal

extension Store {
    /// Accepts what a caller hands in; one without an event fails where it starts a run whose key is taken.
    func accept(
        _ submission: Submission, now: Timestamp, _ claimant: Claimant?
    ) throws -> SubmissionReceipt {
        var (receipt, wakes) = try submit(submission, now: now, claimant)
        if !receipt.isDuplicate {
            receipt.wakesRuns = wakes || submission.starts.contains { $0.startAt != nil }
        }
        if submission.event == nil, !receipt.isDuplicate, let taken = receipt.refused.first {
            throw JournalError.keyTaken(taken)
        }
        return receipt
    }

    /// Accepts one submission; `wakes` tells whether a run can be claimed now that could not before.
    func submit(
        _ submission: Submission, now: Timestamp, _ claimant: Claimant? = nil
    ) throws -> (receipt: SubmissionReceipt, wakes: Bool) {
        if let fault = submission.fault { throw fault }
        if let earlier = try earlierReceipt(of: submission) { return (earlier, false) }
        var wakes = false
        var eventNumber: Int64?
        // But for keys, it starts just these.
        let expected = submission.starts.map(\.id)
        if let event = submission.event {
            let number = try record(event, runs: expected)
            wakes = try answerWaits(with: event, number, now: now)
            eventNumber = number
        }
        var receipt = SubmissionReceipt(eventID: submission.event?.id, runs: [], isDuplicate: false)
        for start in submission.starts {
            if try begin(start, of: submission, after: eventNumber, now: now, claimant, &receipt) {
                wakes = true
            }
        }
        if let eventNumber, receipt.runs != expected || !receipt.refused.isEmpty {
            try run(
                "UPDATE events SET runs = ?, refused = ? WHERE number = ?",
                [receipt.runs.list, receipt.refused.list, eventNumber])
        }
        if let key = submission.idempotencyKey {
            try run(
                "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?)",
                [
                    submission.namespace, key, submission.requestDigest, receipt.eventID, receipt.runs.list,
                    now.milliseconds,
                ])
        }
        return (receipt, wakes)
    }

    private func earlierReceipt(of submission: Submission) throws -> SubmissionReceipt? {
        if let key = submission.idempotencyKey {
            let earlier = try first(
                """
                SELECT digest, event_id, runs, (SELECT refused FROM events WHERE id = event_id) FROM requests
                WHERE namespace = ? AND key = ?
                """,
                [submission.namespace, key]
            ) { row in
                let digest: String? = try row.next()
                return (
                    digest,
                    try row.duplicate()
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
            "SELECT id, runs, refused FROM events WHERE namespace = ? AND source = ? AND source_id = ?",
            [event.namespace, event.source, event.sourceID]
        ) { row in
            try row.duplicate()
        }
    }

    private func record(_ event: EventRecord, runs: [String]) throws -> Int64 {
        try insert(
            """
            INSERT INTO events
                (id, namespace, source, source_id, type, data, at, correlation_id, causation_id, runs)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                event.id, event.namespace, event.source, event.sourceID, event.type, event.data,
                event.at.milliseconds, event.correlationID, event.causationID, runs.list,
            ], taken: "the event id \(event.id)")
        return db.lastInsertedRowID
    }

    func event(_ number: Int64) throws -> EventRecord? {
        try first(
            """
            SELECT id, namespace, source, source_id, type, data, at, correlation_id, causation_id
            FROM events WHERE number = ?
            """, [number]
        ) { row in
            EventRecord(
                id: try row.next(), namespace: try row.next(), source: try row.next(),
                sourceID: try row.next(), type: try row.next(), data: try row.payload(), at: try row.time(),
                correlationID: try row.next(), causationID: try row.next())
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

    /// Creates a run, or does what its key asks for instead; the receipt tells what.
    ///
    /// - Returns: whether a run can be claimed now that could not before.
    private func begin(
        _ start: NewRun, of submission: Submission, after event: Int64?, now: Timestamp,
        _ claimant: Claimant?, _ receipt: inout SubmissionReceipt
    ) throws -> Bool {
        let key = start.key.map {
            Line(namespace: submission.namespace, workflow: start.workflow, key: $0)
        }
        if let key, start.onConflict.takesOneRun, let earlier = try newestRun(key) {
            if start.onConflict == .useExisting {
                receipt.runs.append(earlier)
            } else {
                receipt.refused.append(KeyTaken(workflow: start.workflow, key: key.key, run: earlier))
            }
            return false
        }
        var wakes = false
        if let key, case .cancelExisting(let error) = start.onConflict {
            receipt.cancelled += try openRuns(key).compactMap { try cancel($0.id, error, now: now) }
            wakes = !receipt.cancelled.isEmpty
        }
        let keyIsTaken =
            if let key, !start.onConflict.takesOneRun { try !openRuns(key, limit: 1).isEmpty } else { false }
        let turn = start.firstTurn(keyIsTaken: keyIsTaken, now: now)
        let hasWake = start.status == .queued && (turn == nil || turn == .waitsForTime)
        let startAt = hasWake ? max(now, start.startAt ?? now) : nil
        if turn == nil, let startAt, startAt <= now, let claimant, receipt.claimed.count < claimant.limit,
            try breaker(of: start.workflow, in: submission.namespace)?.dueAt == nil
        {
            var run = start.claimed(by: claimant.host, of: submission, now: now)
            run.number = try insert(start, run, turn, after: event, wakeAt: run.deadlineAt)
            receipt.claimed.append(ClaimedRun(run: run, answers: []))
            receipt.runs.append(start.id)
            return wakes
        }
        let run = start.record(of: submission, now: now)
        try insert(start, run, turn, after: event, wakeAt: startAt)
        receipt.runs.append(start.id)
        if turn == .waitsForSlot, let slot = start.concurrencyKey {
            let line = Line(namespace: submission.namespace, workflow: start.workflow, key: slot)
            return try admit(line, now: now) || wakes
        }
        return wakes || startAt.map { $0 <= now } ?? false
    }

    private func cancel(_ run: String, _ error: Payload, now: Timestamp) throws -> RunRecord? {
        // Asked once more, it would end without unwinding.
        guard let open = try self.run(id: run), open.cancelRequest == nil else { return nil }
        return try cancel(run: run, error: error, isForced: false, now: now)?.run
    }

    /// - Parameter event: the last event that it does not look back to; `nil` for the newest there is.
    /// - Returns: the new run's number.
    @discardableResult
    private func insert(
        _ start: NewRun, _ run: RunRecord, _ turn: Turn?, after event: Int64?, wakeAt: Timestamp?
    ) throws -> Int64 {
        let parent = try run.parent.flatMap { try self.number(ofRun: $0.run) }
        try insert(
            """
            INSERT INTO runs (id, namespace, workflow, version, bundle, status, key, owner, epoch, wake_at,
                events_after, created_at, started_at, deadline_at, error, concurrency_key, turn, timeout,
                entry_count, parent)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, COALESCE(?, (SELECT COALESCE(MAX(number), 0) FROM events)),
                ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                run.id, run.namespace, run.workflow, run.version, run.bundle, run.status.rawValue, run.key,
                run.owner, run.epoch, wakeAt?.milliseconds, event, run.createdAt.milliseconds,
                run.startedAt?.milliseconds, run.deadlineAt?.milliseconds, run.error, start.concurrencyKey,
                turn?.rawValue, start.timeoutMilliseconds, run.entryCount, parent,
            ], taken: "the run id \(run.id)")
        let number = db.lastInsertedRowID
        for entry in start.entries { try append(entry, to: number) }
        if let note = start.startedBy {
            try record(start.audit(note, namespace: run.namespace, now: run.createdAt))
        }
        try self.run(
            "INSERT INTO run_inputs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            [
                number, run.input, run.trigger, run.eventID,
                run.correlationID == run.id ? "" : run.correlationID, run.parent?.run,
                run.parent?.step.path, run.parent?.step.label, run.parent?.step.occurrence,
                run.parent?.onEnd.rawValue, run.parent?.depth,
            ])
        return number
    }
}

extension [KeyTaken] {
    /// A JSON array of objects; `nil` if there are none.
    fileprivate var list: String? {
        isEmpty
            ? nil
            : JSON.array(
                map { ["workflow": .string($0.workflow), "key": .string($0.key), "run": .string($0.run)] }
            ).text
    }
}

extension Columns {
    /// What became of a submission that was accepted before.
    fileprivate mutating func duplicate() throws -> SubmissionReceipt {
        var receipt = SubmissionReceipt(eventID: try next(), runs: try list(), isDuplicate: true)
        let refused: String? = try next()
        let taken = try refused.map { try JSON(parsing: $0.utf8).array ?? [] } ?? []
        receipt.refused = taken.map {
            KeyTaken(
                workflow: $0["workflow"]?.string ?? "", key: $0["key"]?.string ?? "",
                run: $0["run"]?.string ?? "")
        }
        return receipt
    }
}
