import GRDB
import PerigeeJournal

extension Store {
    func act(on id: String, _ action: RunAction, note: ActionNote, now: Timestamp) throws -> ActionResult? {
        guard let before = try run(id: id) else { return nil }
        if let batch = note.batch, try pendingItem(batch, run: id) == nil { return .repeated(before) }
        guard try perform(action, on: before, now: now) else { return .refused(before) }
        guard let after = try run(id: id) else { return nil }
        try append(note.annotation(action.step, at: now), to: before.number)
        try record(
            AuditRecord(
                number: 0, at: now, namespace: before.namespace, by: note.by, action: note.action, run: id,
                batch: note.batch, step: action.step?.label, reason: note.reason, before: before.summary,
                after: after.summary))
        if let batch = note.batch, let item = try pendingItem(batch, run: id) {
            try finish(item, .done, error: nil, now: now)
        }
        return .done(after)
    }

    /// - Returns: whether the run's state permitted it.
    private func perform(_ action: RunAction, on run: RunRecord, now: Timestamp) throws -> Bool {
        switch action {
        case .cancel(let error, let isForced):
            let answer = try cancel(run: run.id, error: error, isForced: isForced, now: now)
            if case .alreadyEnded? = answer { return false }
            return true
        case .pause: return try pause(run, now: now)
        case .resume: return try resume(run, now: now)
        case .retry(let reopening): return try reopen(run, reopening, now: now)
        case .setResult(let address, let value): return try setResult(run, address, value, now: now)
        case .retryNow(let address): return try retryNow(run, address, now: now)
        }
    }

    private func pause(_ run: RunRecord, now: Timestamp) throws -> Bool {
        try self.run(
            """
            UPDATE runs SET paused_at = ?1,
                status = CASE WHEN owner IS NULL THEN 'paused' ELSE status END,
                wake_at = CASE WHEN owner IS NOT NULL THEN MIN(COALESCE(wake_at, ?1), ?1)
                    WHEN turn = 0 THEN wake_at END
            WHERE number = ?2 AND paused_at IS NULL AND cancel_error IS NULL AND NOT is_ending
                AND status IN ('queued', 'waiting', 'running')
            """, [now.milliseconds, run.number])
        return db.changesCount > 0
    }

    private func retryNow(_ run: RunRecord, _ address: StepAddress, now: Timestamp) throws -> Bool {
        guard run.status == .waiting || run.status == .running else { return false }
        let wait = try first(
            """
            SELECT number FROM waits WHERE run = ? AND kind = 7 AND answered_at IS NULL AND path = ?
                AND label = ? AND occurrence = ? ORDER BY number
            """, [run.number, address.path, address.label, address.occurrence]
        ) { OpenWait(number: try $0.next(), run: run.number) }
        guard let wait else { return false }
        _ = try answer(wait, payload: nil, at: now)
        return true
    }

    private func resume(_ run: RunRecord, now: Timestamp) throws -> Bool {
        try self.run(
            """
            UPDATE runs SET deadline_at = deadline_at + (?1 - paused_at), paused_at = NULL,
                status = CASE WHEN status = 'paused' THEN 'queued' ELSE status END,
                wake_at = CASE WHEN status <> 'paused' OR turn = 0 THEN wake_at
                    WHEN turn IN (1, 2) THEN NULL ELSE ?1 END
            WHERE number = ?2 AND paused_at IS NOT NULL
            """, [now.milliseconds, run.number])
        return db.changesCount > 0
    }

    private func reopen(_ run: RunRecord, _ reopening: Reopening, now: Timestamp) throws -> Bool {
        guard run.status.canBeRetried, run.entryCount == reopening.entryCount else { return false }
        if !reopening.locks.isEmpty {
            let held = Set(try heldLocks(run.number).map(\.key))
            guard held.isSuperset(of: reopening.locks) else { return false }
        }
        // Another run that has its key goes on already.
        if run.status.isFinal, let key = run.key {
            let line = Line(namespace: run.namespace, workflow: run.workflow, key: key)
            if try !openRuns(line, limit: 1).isEmpty { return false }
        }
        let line = try lineWithoutTurn(run)
        let facts = reopening.facts(from: run.version)
        for (offset, fact) in facts.enumerated() {
            let entry = Entry(sequence: run.entryCount + 1 + offset, recordedAt: now, fact: fact)
            try append(entry, to: run.number)
        }
        if let result = reopening.result { try give(run, result.address, result.value, now: now) }
        if !reopening.awaits.isEmpty, let head = try head(run.number) {
            for wait in reopening.awaits { _ = try open(wait, of: head, now: now) }
        }
        try self.run(
            """
            UPDATE runs SET entry_count = ?1, version = COALESCE(?2, version), bundle = COALESCE(?3, bundle),
                output = NULL, error = NULL, ended_at = NULL, cancel_error = NULL, is_ending = 0,
                deadline_at = CASE WHEN started_at IS NULL THEN NULL ELSE ?4 + timeout END,
                status = 'queued', wake_at = CASE WHEN ?6 OR turn IN (1, 2) THEN NULL
                    WHEN turn = 0 THEN wake_at ELSE ?4 END,
                turn = CASE WHEN ?6 THEN 2 ELSE turn END
            WHERE number = ?5
            """,
            [
                run.entryCount + facts.count, reopening.move?.version, reopening.move?.bundle,
                now.milliseconds, run.number, line != nil,
            ])
        if let line { _ = try admit(line, now: now) }
        return true
    }

    /// The line that a run has to stand in again, because it has no slot.
    private func lineWithoutTurn(_ run: RunRecord) throws -> Line? {
        let key = try first(
            "SELECT concurrency_key FROM runs WHERE number = ? AND turn IS NULL", [run.number]
        ) { try $0.next() as String? }
        return (key ?? nil).map { Line(namespace: run.namespace, workflow: run.workflow, key: $0) }
    }

    private func setResult(
        _ run: RunRecord, _ address: StepAddress, _ value: Payload, now: Timestamp
    ) throws -> Bool {
        switch run.status {
        case .running, .waiting, .paused, .queued: break
        default: return false
        }
        let wait = try first(
            """
            SELECT number, id FROM waits WHERE run = ? AND path = ? AND label = ? AND occurrence = ?
                AND answered_at IS NULL ORDER BY number
            """, [run.number, address.path, address.label, address.occurrence]
        ) { (number: try $0.next() as Int64, id: try $0.next() as String) }
        guard let wait else {
            guard run.status == .running else { return false }
            try give(run, address, value, now: now)
            return true
        }
        let open = OpenWait(number: wait.number, run: run.number)
        _ = try answer(open, payload: value, at: now, isResult: true)
        try close(approval: wait.id, as: .cancelled)
        return true
    }

    /// Keeps the outcome of a step that is no wait, as the answer of one.
    private func give(_ run: RunRecord, _ address: StepAddress, _ value: Payload, now: Timestamp) throws {
        let number = try first("SELECT COALESCE(MAX(number), 0) + 1 FROM audit", []) {
            try $0.next() as Int64
        }
        try self.run(
            """
            INSERT INTO waits (id, run, kind, path, label, occurrence, opened_at, namespace)
            VALUES (?, ?, 1, ?, ?, ?, ?, ?)
            """,
            [
                Wait.resultID(run: run.id, number: number ?? 1), run.number, address.path, address.label,
                address.occurrence, now.milliseconds, run.namespace,
            ])
        let open = OpenWait(number: db.lastInsertedRowID, run: run.number)
        _ = try answer(open, payload: value, at: now, isResult: true)
    }

    // MARK: Audit

    func record(_ audit: AuditRecord) throws {
        try run(
            """
            INSERT INTO audit (at, namespace, by, action, run, approval, batch, secret, step, reason, before, after)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                audit.at.milliseconds, audit.namespace, audit.by, audit.action, audit.run, audit.approval,
                audit.batch, audit.secret, audit.step, audit.reason, audit.before, audit.after,
            ])
    }

    func audit(_ query: AuditQuery) throws -> AuditPage {
        var conditions = "namespace = ? AND number < ?"
        var values: [Value] = [query.namespace, query.cursor ?? .max]
        if let run = query.run {
            conditions += " AND run = ?"
            values.append(run)
        }
        let found = try all(
            """
            SELECT number, at, namespace, by, action, run, approval, batch, secret, step, reason, before,
                after
            FROM audit WHERE \(conditions) ORDER BY number DESC LIMIT ?
            """, values + [query.limit + 1]
        ) { row in
            AuditRecord(
                number: try row.next(), at: try row.time(), namespace: try row.next(), by: try row.next(),
                action: try row.next(), run: try row.next(), approval: try row.next(), batch: try row.next(),
                secret: try row.next(), step: try row.next(), reason: try row.next(),
                before: try row.optionalPayload(),
                after: try row.optionalPayload())
        }
        let page = Array(found.prefix(query.limit))
        return AuditPage(records: page, nextCursor: found.count > query.limit ? page.last?.number : nil)
    }
}
