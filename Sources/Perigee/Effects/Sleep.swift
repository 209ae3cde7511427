import PerigeeJournal

/// `sleep(label, "24h")` and `sleep(label, { at = time })`: a wait that only its time answers.
enum Sleep {
    static func plan(_ arguments: JSON, now: Timestamp) -> StepPlan {
        let at = arguments["at"]?.string.flatMap(Timestamp.init(rfc3339:))
        let due = at ?? now.adding(milliseconds: max(0, arguments["milliseconds"]?.int ?? 0))
        return .wait(.timer, dueAt: due)
    }
}
