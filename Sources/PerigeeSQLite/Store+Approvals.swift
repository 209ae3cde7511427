import GRDB
import PerigeeJournal

extension Store {
    private static let approvalColumns = """
        SELECT a.id, r.id, a.namespace, r.workflow, a.path, a.label, a.occurrence, a.asked, a.shown,
            a.choices, a.comment_required, a.status, a.opened_at, a.due_at, a.outcome, a.decided_by,
            a.decided_at, a.comment, a.form
        FROM approvals a JOIN runs r ON r.number = a.run
        """

    func open(_ request: ApprovalRequest, _ wait: Wait, of run: RunHead) throws {
        try insert(
            """
            INSERT INTO approvals (id, run, namespace, path, label, occurrence, asked, shown, choices,
                comment_required, status, opened_at, due_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?)
            """,
            [
                wait.id, run.number, run.namespace, wait.address.path, wait.address.label,
                wait.address.occurrence, request.to.blob, request.show.blob, request.choices.list,
                request.commentRequiredOn.list, wait.openedAt.milliseconds, wait.dueAt?.milliseconds,
            ], taken: "the wait id \(wait.id)")
    }

    /// Ends an approval that nobody has decided; others stay as they are.
    func close(approval id: String, as status: ApprovalStatus) throws {
        try run(
            "UPDATE approvals SET status = ? WHERE id = ? AND status = 'waiting'", [status.rawValue, id])
    }

    func decide(
        approval id: String, _ decision: Decision
    ) throws -> (approval: ApprovalRecord, isNew: Bool)? {
        guard let approval = try approval(id: id) else { return nil }
        let wait = try first("SELECT number, run FROM waits WHERE id = ?", [id]) { row in
            OpenWait(number: try row.next(), run: try row.next())
        }
        guard approval.status == .waiting, let wait else { return (approval, false) }
        try run(
            """
            UPDATE approvals SET status = 'decided', outcome = ?, decided_by = ?, decided_at = ?, comment = ?,
                form = ? WHERE id = ?
            """,
            [
                decision.outcome, decision.by, decision.at.milliseconds, decision.comment,
                decision.form?.blob, id,
            ])
        _ = try answer(wait, payload: decision.payload, at: decision.at)
        var decided = approval
        decided.status = .decided
        decided.decision = decision
        try record(
            AuditRecord(
                number: 0, at: decision.at, namespace: approval.namespace, by: decision.by, action: "decide",
                run: approval.run, approval: id, step: approval.address.label, reason: decision.comment,
                before: approval.summary, after: decided.summary))
        return (decided, true)
    }

    func approval(id: String) throws -> ApprovalRecord? {
        try first("\(Self.approvalColumns) WHERE a.id = ?", [id], decodeApproval)
    }

    /// One status is one stretch of an index in the order of the inbox; several are merged here.
    func approvals(namespace: String, status: ApprovalStatus?, limit: Int) throws -> [ApprovalRecord] {
        let statuses = status.map { [$0] } ?? ApprovalStatus.allCases
        let found = try statuses.flatMap { status in
            try all(
                """
                SELECT number, COALESCE(due_at, 9223372036854775807), opened_at FROM approvals
                WHERE namespace = ? AND status = ?
                ORDER BY COALESCE(due_at, 9223372036854775807), opened_at, number LIMIT ?
                """, [namespace, status.rawValue, limit]
            ) { row in
                (number: try row.next() as Int64, due: try row.time(), opened: try row.time())
            }
        }
        let ordered = found.sorted { ($0.due, $0.opened, $0.number) < ($1.due, $1.opened, $1.number) }
        return try ordered.prefix(limit).compactMap { place in
            try first("\(Self.approvalColumns) WHERE a.number = ?", [place.number], decodeApproval)
        }
    }

    private func decodeApproval(_ row: inout Columns) throws -> ApprovalRecord {
        let id: String = try row.next()
        let run: String = try row.next()
        let namespace: String = try row.next()
        let workflow: String = try row.next()
        var approval = ApprovalRecord(
            id: id, run: run, namespace: namespace, workflow: workflow, address: try row.address(),
            request: try row.request(), status: try row.choice(), openedAt: try row.time(),
            dueAt: try row.optionalTime())
        let outcome: String? = try row.next()
        let by: String? = try row.next()
        let at = try row.optionalTime()
        if let outcome, let by, let at {
            approval.decision = Decision(
                outcome: outcome, by: by, at: at, comment: try row.next(), form: try row.optionalPayload())
        }
        return approval
    }
}

extension Columns {
    mutating func request() throws -> ApprovalRequest {
        ApprovalRequest(
            to: try payload(), show: try payload(), choices: try list(), commentRequiredOn: try list())
    }
}
