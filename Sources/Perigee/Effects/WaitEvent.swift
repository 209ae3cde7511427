import PerigeeJournal

/// `wait.event(label, { event, match, timeout })`: the first event that matches since the run began.
enum WaitEvent {
    static func plan(_ arguments: JSON, now: Timestamp) throws(ScriptError) -> StepPlan {
        let match: EventMatch
        do {
            match = try EventMatch(parsing: arguments["match"] ?? .object([:]))
        } catch {
            throw ScriptError(
                code: "PG1014", kind: "validation",
                message: "wait.event: `match` can't be understood: \(error).",
                hint: "Correct the conditions.")
        }
        let due = arguments["timeout_milliseconds"]?.int.map { now.adding(milliseconds: $0) }
        return .wait(.event(type: arguments["event"]?.string ?? "", match: match), dueAt: due)
    }
}
