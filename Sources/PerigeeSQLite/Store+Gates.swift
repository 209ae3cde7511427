import GRDB
import PerigeeJournal

/// Gates of destinations, see ``Gate``.
extension Store {
    /// A wait for a turn at a gate: it is answered at once if it can be.
    func openForGate(_ ticket: GateTicket, in namespace: String, at now: Timestamp) throws -> Bool {
        try answerAtGate(ticket.key, of: namespace, at: now)
    }

    /// Tells a gate how a call ended that it let through.
    ///
    /// - Parameter hasFailed: whether the destination failed; `nil` if it was not called.
    /// - Returns: whether a claim has something to do that it had not before.
    func leaveGate(
        _ wait: String, _ ticket: GateTicket, of namespace: String, hasFailed: Bool?, at now: Timestamp
    ) throws -> Bool {
        guard var kept = try gate(ticket.key, of: namespace) else { return false }
        kept.gate.end(wait, ticket, hasFailed: hasFailed, at: now)
        return try answerAtGate(ticket.key, of: namespace, as: kept, at: now)
    }

    /// Answers those who wait at gates that may have opened by now.
    func answerAtDueGates(of namespace: String, at now: Timestamp) throws {
        let due = try all(
            "SELECT key FROM gates WHERE namespace = ? AND due_at <= ? ORDER BY key",
            [namespace, now.milliseconds]
        ) { try $0.next() as String }
        for key in due { _ = try answerAtGate(key, of: namespace, at: now) }
    }

    /// Answers those who wait at a gate, as many as it lets through now, and keeps how it stands.
    ///
    /// - Parameter changed: how it stands, if that is not kept yet.
    /// - Returns: whether a claim has something to do that it had not before.
    private func answerAtGate(
        _ key: String, of namespace: String, as changed: KeptGate? = nil, at now: Timestamp
    ) throws -> Bool {
        let kept = try changed ?? self.gate(key, of: namespace)
        var gate = kept?.gate ?? Gate()
        var wakes = false
        while let (candidate, reply) = gate.next(of: try candidates(key, of: namespace), at: now) {
            let wait = try first("SELECT run FROM waits WHERE number = ?", [candidate.place]) {
                OpenWait(number: candidate.place, run: try $0.next())
            }
            guard let wait else { break }
            wakes = try answer(wait, payload: reply.payload, at: now) || wakes
        }
        try run(
            """
            INSERT INTO gates VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
            SET state = excluded.state, due_at = excluded.due_at, forget_at = excluded.forget_at
            """,
            [
                namespace, key, gate.json.bytes, gate.dueAt?.milliseconds,
                gate.forgetAt?.milliseconds,
            ])
        return wakes || gate.dueAt.map { $0 < kept?.dueAt ?? Timestamp(milliseconds: .max) } ?? false
    }

    /// Of each workflow the wait that came first, of those that wait however long and of those that do not.
    private func candidates(_ key: String, of namespace: String) throws -> [Gate.Candidate] {
        try all(
            """
            SELECT MIN(w.number), w.id, r.workflow, w.match FROM waits w JOIN runs r ON r.number = w.run
            WHERE w.kind = 8 AND w.target = ? AND w.namespace = ? AND w.answered_at IS NULL
            GROUP BY r.workflow, json_extract(CAST(w.match AS TEXT), '$.impatient')
            """, [key, namespace]
        ) { row in
            let place: Int64 = try row.next()
            return Gate.Candidate(
                wait: try row.next(), workflow: try row.next(), place: place, ticket: try row.ticket())
        }
    }

    /// A gate, and when the next could be let through by the time alone as it was kept.
    private typealias KeptGate = (gate: Gate, dueAt: Timestamp?)

    private func gate(_ key: String, of namespace: String) throws -> KeptGate? {
        try first("SELECT state, due_at FROM gates WHERE namespace = ? AND key = ?", [namespace, key]) {
            row in
            guard let gate = Gate(try JSON(parsing: try row.payload())) else {
                throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "the gate \(key) can't be read")
            }
            return (gate, try row.optionalTime())
        }
    }

    func awaitedGates(_ number: Int64) throws -> [AwaitedGate] {
        let waits = try all(
            """
            SELECT w.target, w.namespace, (
                SELECT COUNT(*) FROM waits o WHERE o.namespace = w.namespace AND o.kind = 8
                    AND o.target = w.target AND o.answered_at IS NULL AND o.number < w.number)
            FROM waits w WHERE w.run = ? AND w.kind = 8 AND w.answered_at IS NULL ORDER BY w.number
            """, [number]
        ) { row in
            (
                key: try row.next() as String, namespace: try row.next() as String,
                ahead: try row.next() as Int
            )
        }
        return try waits.map { wait in
            let kept = try gate(wait.key, of: wait.namespace)
            return AwaitedGate(
                key: wait.key, ahead: wait.ahead, openUntil: kept?.gate.openUntil, nextAt: kept?.dueAt)
        }
    }

    /// Notes the epoch in which a run is first told that a gate let it through.
    func noteDelivery(to run: Int64) throws {
        try self.run(
            """
            UPDATE waits SET delivered = (SELECT epoch FROM runs WHERE number = ?1)
            WHERE run = ?1 AND kind = 8 AND answered_at IS NOT NULL AND delivered IS NULL
            """, [run])
    }
}

extension Columns {
    mutating func ticket() throws -> GateTicket { try GateTicket(stored: try payload()) }
}

extension GateTicket {
    init(stored: Payload) throws {
        guard let ticket = GateTicket(try JSON(parsing: stored)) else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a ticket for a gate can't be read")
        }
        self = ticket
    }
}
