extension MemoryState {
    mutating func decide(
        approval id: String, _ decision: Decision
    ) -> (approval: ApprovalRecord, isNew: Bool)? {
        guard var approval = approvals[id] else { return nil }
        guard approval.status == .waiting, let number = waitRuns[id],
            let index = self[number].waits.firstIndex(where: { $0.wait.id == id })
        else { return (approval, false) }
        approval.status = .decided
        approval.decision = decision
        approvals[id] = approval
        _ = answer(number, index, payload: decision.payload, at: decision.at)
        return (approval, true)
    }

    mutating func remind(_ reminder: Reminder, now: Timestamp) -> Result<ReminderReceipt, JournalError> {
        guard let approval = approvals[reminder.approval], approval.nextReminderAt != nil,
            reminder.number == approval.remindersTold + 1, let number = runNumbers[approval.run]
        else { return .success(ReminderReceipt(isNew: false, wakesRuns: false)) }
        let before = self
        do throws(JournalError) {
            approvals[reminder.approval]?.remindersTold = reminder.number
            annotate(number, [reminder.annotation])
            let wakes = try submit(reminder.submission, now: now).wakes
            return .success(ReminderReceipt(isNew: true, wakesRuns: wakes))
        } catch {
            self = before
            return .failure(error)
        }
    }

    func dueReminders(namespace: String, now: Timestamp, limit: Int) -> DueReminders {
        let awaited = approvalOrder.compactMap { approvals[$0] }
            .filter { $0.namespace == namespace && ($0.dueAt.map { $0 > now } ?? true) }
            .compactMap { approval in approval.nextReminderAt.map { (at: $0, approval: approval) } }
        let ordered = awaited.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
            .map(\.element)
        let due = ordered.prefix { $0.at <= now }.prefix(limit)
        return DueReminders(
            approvals: due.map(\.approval), nextAt: ordered.dropFirst(due.count).first.map(\.at))
    }

    func approvals(
        namespace: String, status: ApprovalStatus?, kinds: Set<ApprovalKind>, limit: Int
    ) -> [ApprovalRecord] {
        let found = approvalOrder.compactMap { approvals[$0] }.filter {
            $0.namespace == namespace && (status == nil || $0.status == status)
                && (kinds.isEmpty || kinds.contains($0.request.kind))
        }
        let ordered = found.enumerated().sorted { left, right in
            (left.element.inboxOrder, left.element.openedAt, left.offset)
                < (right.element.inboxOrder, right.element.openedAt, right.offset)
        }
        return ordered.prefix(limit).map(\.element)
    }
}

extension ApprovalRecord {
    /// What is never due comes last.
    fileprivate var inboxOrder: Timestamp { dueAt ?? Timestamp(milliseconds: .max) }
}
