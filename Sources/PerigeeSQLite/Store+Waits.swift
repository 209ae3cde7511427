import GRDB
import PerigeeJournal

extension Store {
    /// - Returns: the wait's number, and whether a claim has something to do that does not show in when the run is to
    ///   be woken.
    func open(_ wait: Wait, of run: RunHead, now: Timestamp) throws -> (number: Int64, opensGate: Bool) {
        var kind = 1
        var type: String?
        var match: EventMatch?
        var target: String?
        var ticket: GateTicket?
        switch wait.kind {
        case .timer: break
        case .retry: kind = 7
        case .gate(let wanted): (kind, target, ticket) = (8, wanted.key, wanted)
        case .event(let wantedType, let wantedMatch):
            (kind, type, match) = (2, wantedType, wantedMatch)
        case .approval(let request):
            kind = 3
            try open(request, wait, of: run)
        case .lock(let key): (kind, target) = (4, key)
        case .child(let run): (kind, target) = (5, run)
        case .started(let run): (kind, target) = (6, run)
        }
        try insert(
            """
            INSERT INTO waits (id, run, kind, path, label, occurrence, opened_at, due_at, namespace,
                event_type, match, index_key, target)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                wait.id, run.number, kind, wait.address.path, wait.address.label,
                wait.address.occurrence, wait.openedAt.milliseconds, wait.dueAt?.milliseconds, run.namespace,
                type, (match.map { JSON.object($0.conditions) } ?? ticket?.json)?.bytes, match?.indexKey,
                target,
            ], taken: "the wait id \(wait.id)")
        let number = db.lastInsertedRowID
        let opened = OpenWait(number: number, run: run.number)
        switch wait.kind {
        case .timer, .retry, .approval: break
        case .gate(let ticket):
            return (number, try openForGate(ticket, in: run.namespace, at: now))
        case .event(let type, let match): try lookBack(number, type, match, of: run, now: now)
        case .lock(let key): try openForLock(opened, key: key, in: run.namespace, at: now)
        case .child(let target): try openForEnd(opened, of: target, at: now)
        case .started(let id): _ = try answer(opened, payload: JSON.string(id).bytes, at: now)
        }
        return (number, false)
    }

    /// Answers a new wait with the oldest event since the run was created that matches and is not used.
    private func lookBack(
        _ wait: Int64, _ type: String, _ match: EventMatch, of run: RunHead, now: Timestamp
    ) throws {
        let found = try earliest(
            """
            SELECT number, data FROM events e WHERE namespace = ? AND type = ? AND number > ?
                AND NOT EXISTS (SELECT 1 FROM used_events WHERE run = ? AND event = e.number)
            ORDER BY number
            """, [run.namespace, type, run.eventsAfter, run.number]
        ) { data in
            match.matches((try? JSON(parsing: data)) ?? .null, now: now)
        }
        guard let found, let payload = try event(found)?.envelope else { return }
        _ = try answer(OpenWait(number: wait, run: run.number), payload: payload, event: found, at: now)
    }

    /// The number in the first row whose payload is what is looked for.
    private func earliest(
        _ sql: String, _ values: [Value], where isWanted: (Payload) -> Bool
    ) throws -> Int64? {
        var found: Int64?
        try each(sql, values) { row in
            let number: Int64 = try row.next()
            if isWanted(try row.payload()) { found = number }
            return found == nil
        }
        return found
    }

    /// A wait, and whose it is.
    struct OpenWait {
        var number: Int64
        var run: Int64
    }

    /// Answers a wait.
    ///
    /// - Returns: whether its run can be claimed now and could not before.
    func answer(
        _ wait: OpenWait, payload: Payload?, event: Int64? = nil, at: Timestamp, isResult: Bool = false
    ) throws -> Bool {
        try run(
            """
            UPDATE waits SET answered_at = ?, answer = ?, is_result = ?, event = ?,
                arrival = (SELECT COALESCE(MAX(arrival), 0) + 1 FROM waits WHERE run = ?)
            WHERE number = ?
            """, [at.milliseconds, payload, isResult, event, wait.run, wait.number])
        if let event { try run("INSERT INTO used_events VALUES (?, ?)", [wait.run, event]) }
        try run(
            """
            UPDATE runs SET wake_at = ? WHERE number = ? AND (wake_at IS NULL OR wake_at > ?)
                AND status <> 'paused'
            """, [at.milliseconds, wait.run, at.milliseconds])
        return db.changesCount > 0
    }

    func answerDueWaits(of run: Int64, now: Timestamp) throws {
        let due = try all(
            """
            SELECT number, id, kind FROM waits WHERE run = ? AND answered_at IS NULL AND due_at <= ?
            ORDER BY due_at, number
            """, [run, now.milliseconds]
        ) { row in
            (number: try row.next() as Int64, id: try row.next() as String, kind: try row.next() as Int)
        }
        for wait in due {
            _ = try answer(OpenWait(number: wait.number, run: run), payload: nil, at: now)
            if wait.kind == 3 { try close(approval: wait.id, as: .expired) }
        }
    }

    /// The answers that the run has not taken yet, oldest first, for the host that works on it.
    func answers(of run: Int64) throws -> [WaitAnswer] {
        var isFirst = false
        let answers = try all(
            """
            SELECT id, path, label, occurrence, answered_at, answer, is_result, kind = 8 AND delivered IS NULL,
                COALESCE(delivered < (SELECT epoch FROM runs WHERE number = ?1), 0)
            FROM waits WHERE run = ?1 AND answered_at IS NOT NULL ORDER BY answered_at, arrival
            """, [run]
        ) { row in
            var answer = WaitAnswer(
                wait: try row.next(), address: try row.address(), at: try row.time(),
                payload: try row.optionalPayload(), isResult: try row.next())
            isFirst = try row.next() || isFirst
            answer.isRedelivered = try row.next()
            return answer
        }
        if isFirst { try noteDelivery(to: run) }
        return answers
    }

    /// Open waits that an event might answer, in the order in which they were opened.
    func waits(forType type: String, in namespace: String, keys: [String]?) throws -> [(OpenWait, EventMatch)]
    {
        let filter = keys == nil ? "" : "AND index_key IN (SELECT value FROM json_each(?))"
        return try all(
            """
            SELECT number, run, match FROM waits
            WHERE namespace = ? AND event_type = ? AND answered_at IS NULL \(filter) ORDER BY number
            """, [namespace, type] + (keys.map { [$0.list] } ?? [])
        ) { row in
            (OpenWait(number: try row.next(), run: try row.next()), EventMatch(try row.conditions()))
        }
    }

    func hasWaits(forType type: String, in namespace: String) throws -> Bool {
        try first(
            """
            SELECT 1 FROM waits WHERE namespace = ? AND event_type = ? AND answered_at IS NULL LIMIT 1
            """, [namespace, type]
        ) { _ in true } ?? false
    }

    /// Takes a wait away; a question that nobody has answered is cancelled.
    ///
    /// - Returns: whether a claim has something to do that it had not before.
    func close(_ id: String, of number: Int64, hasFailed: Bool? = nil, now: Timestamp) throws -> Bool {
        let closed = try all(
            """
            DELETE FROM waits WHERE id = ? AND run = ?
            RETURNING namespace, CASE WHEN kind = 8 AND answered_at IS NOT NULL THEN match END
            """, [id, number]
        ) { row in
            (namespace: try row.next() as String, ticket: try row.optionalPayload())
        }.first
        guard let closed else { return false }
        try close(approval: id, as: .cancelled)
        guard let ticket = try closed.ticket.map(GateTicket.init(stored:)) else { return false }
        return try leaveGate(id, ticket, of: closed.namespace, hasFailed: hasFailed, at: now)
    }

    /// Takes all waits away; events that answered one and that the run did not take are there for another.
    ///
    /// - Returns: whether a claim has something to do that it had not before.
    func dropWaits(_ number: Int64, now: Timestamp) throws -> Bool {
        try run(
            """
            DELETE FROM used_events WHERE run = ?1
                AND event IN (SELECT event FROM waits WHERE run = ?1 AND event IS NOT NULL)
            """, [number])
        var opensGate = false
        // Those that wait first: a gate that a call leaves would let another wait of this run through.
        let waits = try all(
            "SELECT id FROM waits WHERE run = ? ORDER BY answered_at IS NOT NULL, number", [number]
        ) { try $0.next() as String }
        for id in waits where try close(id, of: number, now: now) { opensGate = true }
        return opensGate
    }

    func waitIDs(of run: Int64) throws -> [String] {
        try all("SELECT id FROM waits WHERE run = ? ORDER BY number", [run]) { try $0.next() }
    }

    /// When something is to come for a run, as its waits stand; `nil` for never.
    func wakeTime(of run: Int64, now: Timestamp) throws -> Timestamp? {
        try first(
            """
            SELECT CASE
                WHEN r.cancel_error IS NOT NULL AND NOT r.is_ending OR MAX(w.answered_at) IS NOT NULL THEN ?
                WHEN r.is_ending OR r.deadline_at IS NULL THEN MIN(w.due_at)
                ELSE MIN(r.deadline_at, COALESCE(MIN(w.due_at), r.deadline_at)) END
            FROM runs r LEFT JOIN waits w ON w.run = r.number WHERE r.number = ?
            """, [now.milliseconds, run]
        ) { try $0.optionalTime() } ?? nil
    }

    /// What runs wait for, in the order in which it was opened.
    func openWaits(of runs: [Int64]) throws -> [(run: Int64, wait: Wait)] {
        try all(
            """
            SELECT w.run, w.id, w.path, w.label, w.occurrence, w.opened_at, w.due_at, w.kind, w.event_type,
                w.match, w.target, \(Self.requestColumns)
            FROM waits w LEFT JOIN approvals a ON w.kind = 3 AND a.id = w.id
            WHERE w.run IN (SELECT value FROM json_each(?)) AND w.answered_at IS NULL ORDER BY w.number
            """, [JSON.array(runs.map(JSON.int)).text]
        ) { row in
            let run: Int64 = try row.next()
            let id: String = try row.next()
            let address = try row.address()
            let openedAt = try row.time()
            let dueAt = try row.optionalTime()
            let kind = try row.waitKind()
            return (run, Wait(id: id, address: address, kind: kind, openedAt: openedAt, dueAt: dueAt))
        }
    }
}

extension Columns {
    fileprivate mutating func waitKind() throws -> Wait.Kind {
        let kind: Int = try next()
        switch kind {
        case 1: return .timer
        case 2: return .event(type: try next(), match: EventMatch(try conditions()))
        case 3:
            skip(3)
            return .approval(try request())
        case 4, 5, 6:
            skip(2)
            let target: String = try next()
            return kind == 4 ? .lock(key: target) : kind == 5 ? .child(run: target) : .started(run: target)
        case 7: return .retry
        case 8:
            skip(1)
            return .gate(try ticket())
        default: throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "\(kind) is not a kind of wait")
        }
    }

    fileprivate mutating func conditions() throws -> [String: JSON] {
        (try JSON(parsing: try payload(), maxDepth: .max)).object ?? [:]
    }
}
