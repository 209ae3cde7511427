import GRDB
import PerigeeJournal

/// Breakers of workflows, see ``WorkflowBreaker``; a row is there exactly for a workflow that has one.
extension Store {
    private static let held = "namespace = ? AND workflow = ? AND held AND status = 'queued'"

    /// Keeps the rule of a workflow's breaker; without one, all runs that it held back go on.
    func setBreaker(of workflow: String, in namespace: String, _ rule: BreakerRule?, now: Timestamp) throws {
        let known = try breaker(of: workflow, in: namespace)
        guard let rule else {
            guard known != nil else { return }
            try run("DELETE FROM breakers WHERE namespace = ? AND workflow = ?", [namespace, workflow])
            _ = try letBegin(workflow, in: namespace, now: now)
            return
        }
        guard known?.rule != rule else { return }
        var breaker = known ?? WorkflowBreaker(rule)
        breaker.rule = rule
        try keep(breaker, of: workflow, in: namespace)
    }

    /// The breakers of a namespace that may hold runs back; of each workflow whose pause is over, one run is let go.
    func openBreakers(of namespace: String, at now: Timestamp) throws -> Set<String> {
        let open = try all(
            "SELECT workflow, due_at <= ? FROM breakers WHERE namespace = ? AND due_at IS NOT NULL",
            [now.milliseconds, namespace]
        ) { (workflow: try $0.next() as String, isDue: try $0.next() as Bool) }
        for breaker in open where breaker.isDue {
            _ = try letBegin(breaker.workflow, in: namespace, limit: 1, now: now)
        }
        return Set(open.map(\.workflow))
    }

    /// Whether a run that has not begun may be taken; otherwise it is held back.
    func mayBegin(
        _ number: Int64, of workflow: String, in namespace: String, at now: Timestamp
    ) throws -> Bool {
        guard var breaker = try breaker(of: workflow, in: namespace) else { return true }
        if breaker.admits(number, at: now) {
            try keep(breaker, of: workflow, in: namespace)
            return true
        }
        try run("UPDATE runs SET wake_at = NULL, held = 1 WHERE number = ?", [number])
        return false
    }

    /// A run ended, or needs attention.
    ///
    /// - Returns: whether a claim has something to do that it had not before.
    func tellBreaker(_ number: Int64, _ status: RunStatus, at now: Timestamp) throws -> Bool {
        let name = try first("SELECT namespace, workflow FROM runs WHERE number = ?", [number]) {
            (namespace: try $0.next() as String, workflow: try $0.next() as String)
        }
        guard let name, var breaker = try breaker(of: name.workflow, in: name.namespace) else { return false }
        let openBefore = breaker.openUntil
        breaker.take(number, hasFailed: status.isFailure, at: now)
        try keep(breaker, of: name.workflow, in: name.namespace)
        if let openUntil = breaker.openUntil, openUntil != openBefore {
            try append(breaker.annotation(at: now), to: number)
        }
        if breaker.openUntil == nil { return try letBegin(name.workflow, in: name.namespace, now: now) }
        return try first(
            "SELECT 1 FROM runs WHERE \(Self.held) LIMIT 1", [name.namespace, name.workflow]
        ) { _ in true } ?? false
    }

    private func letBegin(
        _ workflow: String, in namespace: String, limit: Int = .max, now: Timestamp
    ) throws -> Bool {
        try run(
            """
            UPDATE runs SET held = 0, wake_at = ? WHERE number IN (
                SELECT number FROM runs WHERE \(Self.held) ORDER BY number LIMIT ?)
            """, [now.milliseconds, namespace, workflow, limit])
        return db.changesCount > 0
    }

    func breaker(of workflow: String, in namespace: String) throws -> WorkflowBreaker? {
        try first(
            "SELECT state FROM breakers WHERE namespace = ? AND workflow = ?", [namespace, workflow]
        ) { try $0.workflowBreaker() }
    }

    private func keep(_ breaker: WorkflowBreaker, of workflow: String, in namespace: String) throws {
        try run(
            """
            INSERT INTO breakers VALUES (?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET state = excluded.state, due_at = excluded.due_at
            """, [namespace, workflow, breaker.json.bytes, breaker.dueAt?.milliseconds])
    }
}

extension Columns {
    fileprivate mutating func workflowBreaker() throws -> WorkflowBreaker {
        guard let breaker = WorkflowBreaker(try JSON(parsing: try payload())) else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a workflow's breaker can't be read")
        }
        return breaker
    }
}
