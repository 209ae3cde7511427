import GRDB
import PerigeeJournal

extension Store {
    /// What ``Columns/request()`` reads.
    static let requestColumns =
        "a.kind, a.asked, a.shown, a.choices, a.comment_required, a.details, a.remind_at"

    private static let approvalColumns = """
        SELECT a.id, r.id, a.namespace, r.workflow, a.path, a.label, a.occurrence, \(requestColumns),
            a.status, a.opened_at, a.due_at, a.reminders_told, a.outcome, a.decided_by, a.decided_at,
            a.comment, a.form, a.data, a.via, a.shown_hash
        FROM approvals a JOIN runs r ON r.number = a.run
        """

    func open(_ request: ApprovalRequest, _ wait: Wait, of run: RunHead) throws {
        let reminders = JSON.array(request.remindAt.map { .int($0.milliseconds) }).text
        try insert(
            """
            INSERT INTO approvals (id, run, namespace, path, label, occurrence, kind, asked, shown, choices,
                comment_required, details, remind_at, next_reminder, status, opened_at, due_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?)
            """,
            [
                wait.id, run.number, run.namespace, wait.address.path, wait.address.label,
                wait.address.occurrence, request.kind.rawValue, request.to, request.show,
                request.choices.list, request.commentRequiredOn.list, request.details, reminders,
                request.remindAt.first?.milliseconds, wait.openedAt.milliseconds, wait.dueAt?.milliseconds,
            ], taken: "the wait id \(wait.id)")
    }

    /// Ends an approval that nobody has decided; others stay as they are.
    func close(approval id: String, as status: ApprovalStatus) throws {
        try run(
            "UPDATE approvals SET status = ?, next_reminder = NULL WHERE id = ? AND status = 'waiting'",
            [status.rawValue, id])
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
            UPDATE approvals SET status = 'decided', next_reminder = NULL, outcome = ?, decided_by = ?,
                decided_at = ?, comment = ?, form = ?, data = ?, via = ?, shown_hash = ? WHERE id = ?
            """,
            [
                decision.outcome, decision.by, decision.at.milliseconds, decision.comment,
                decision.form, decision.data, decision.via, decision.shown, id,
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

    func remind(_ reminder: Reminder, now: Timestamp) throws -> ReminderReceipt {
        let place = try first(
            """
            SELECT run, reminders_told, remind_at FROM approvals WHERE id = ? AND next_reminder IS NOT NULL
            """, [reminder.approval]
        ) { row in (run: try row.next() as Int64, told: try row.next() as Int, times: try row.times()) }
        guard let place, reminder.number == place.told + 1 else {
            return ReminderReceipt(isNew: false, wakesRuns: false)
        }
        let next = place.times.dropFirst(reminder.number).first
        try run(
            "UPDATE approvals SET reminders_told = ?, next_reminder = ? WHERE id = ?",
            [reminder.number, next?.milliseconds, reminder.approval])
        try append(reminder.annotation, to: place.run)
        let wakes = try submit(reminder.submission, now: now).wakes
        return ReminderReceipt(isNew: true, wakesRuns: wakes)
    }

    func dueReminders(namespace: String, now: Timestamp, limit: Int) throws -> DueReminders {
        let found = try all(
            """
            SELECT number, next_reminder FROM approvals WHERE namespace = ? AND next_reminder IS NOT NULL
                AND (due_at IS NULL OR due_at > ?)
            ORDER BY next_reminder, number LIMIT ?
            """, [namespace, now.milliseconds, limit + 1]
        ) { row in (number: try row.next() as Int64, at: try row.time()) }
        let due = found.prefix { $0.at <= now }.prefix(limit)
        return DueReminders(
            approvals: try due.compactMap { try approval(number: $0.number) },
            nextAt: found.dropFirst(due.count).first?.at)
    }

    func approval(id: String) throws -> ApprovalRecord? {
        try first("\(Self.approvalColumns) WHERE a.id = ?", [id], decodeApproval)
    }

    private func approval(number: Int64) throws -> ApprovalRecord? {
        try first("\(Self.approvalColumns) WHERE a.number = ?", [number], decodeApproval)
    }

    /// One status and kind is one stretch of an index in the order of the inbox; several are merged here.
    func approvals(
        namespace: String, status: ApprovalStatus?, kinds: Set<ApprovalKind>, limit: Int
    ) throws -> [ApprovalRecord] {
        let statuses = status.map { [$0] } ?? ApprovalStatus.allCases
        let kinds = kinds.isEmpty ? ApprovalKind.allCases : Array(kinds)
        let stretches = statuses.flatMap { status in kinds.map { (status, $0) } }
        let found = try stretches.flatMap { status, kind in
            try all(
                """
                SELECT number, COALESCE(due_at, 9223372036854775807), opened_at FROM approvals
                WHERE namespace = ? AND status = ? AND kind = ?
                ORDER BY COALESCE(due_at, 9223372036854775807), opened_at, number LIMIT ?
                """, [namespace, status.rawValue, kind.rawValue, limit]
            ) { row in
                (number: try row.next() as Int64, due: try row.time(), opened: try row.time())
            }
        }
        let ordered = found.sorted { ($0.due, $0.opened, $0.number) < ($1.due, $1.opened, $1.number) }
        return try ordered.prefix(limit).compactMap { try approval(number: $0.number) }
    }

    private func decodeApproval(_ row: inout Columns) throws -> ApprovalRecord {
        let id: String = try row.next()
        let run: String = try row.next()
        let namespace: String = try row.next()
        let workflow: String = try row.next()
        var approval = ApprovalRecord(
            id: id, run: run, namespace: namespace, workflow: workflow, address: try row.address(),
            request: try row.request(), status: try row.choice(), openedAt: try row.time(),
            dueAt: try row.optionalTime(), remindersTold: try row.next())
        let outcome: String? = try row.next()
        let by: String? = try row.next()
        let at = try row.optionalTime()
        if let outcome, let by, let at {
            approval.decision = Decision(
                outcome: outcome, by: by, at: at, comment: try row.next(), form: try row.optionalPayload(),
                data: try row.optionalPayload(), via: try row.next(), shown: try row.next())
        }
        return approval
    }
}

extension Columns {
    /// The columns ``Store/requestColumns``.
    mutating func request() throws -> ApprovalRequest {
        ApprovalRequest(
            kind: try choice(), to: try payload(), show: try payload(), choices: try list(),
            commentRequiredOn: try list(), details: try payload(), remindAt: try times())
    }

    /// A list of moments that was written as a JSON array of milliseconds.
    fileprivate mutating func times() throws -> [Timestamp] {
        let text: String = try next()
        return (try JSON(parsing: text.utf8)).array?.compactMap(\.int).map(Timestamp.init(milliseconds:))
            ?? []
    }
}
