/// Tells that an approval still waits.
public struct Reminder: Hashable, Sendable {
    /// The approval's id.
    public var approval: String
    /// Which of its reminders this is, from 1; it counts only after the one before and before the one after.
    public var number: Int
    /// The event that tells it, with the runs that it starts.
    public var submission: Submission
    /// What its run shows of it.
    public var annotation: Annotation

    public init(approval: String, number: Int, submission: Submission, annotation: Annotation) {
        self.approval = approval
        self.number = number
        self.submission = submission
        self.annotation = annotation
    }
}

/// What became of a reminder.
public struct ReminderReceipt: Hashable, Sendable {
    /// Whether it was told by this call; `false` where it was told before or nobody has to be reminded any more.
    public var isNew: Bool
    /// Whether a run can be claimed now that could not before.
    public var wakesRuns: Bool

    public init(isNew: Bool, wakesRuns: Bool) {
        self.isNew = isNew
        self.wakesRuns = wakesRuns
    }
}

/// The approvals that people are to be reminded of.
public struct DueReminders: Hashable, Sendable {
    /// Those whose next reminder is due, the longest overdue first.
    public var approvals: [ApprovalRecord]
    /// When the next reminder is due that is not among them; `nil` for never as far as is known now.
    public var nextAt: Timestamp?

    public init(approvals: [ApprovalRecord], nextAt: Timestamp?) {
        self.approvals = approvals
        self.nextAt = nextAt
    }
}
