import PerigeeJournal

/// `flow.lock(label, key, function() … end, { timeout })`: a wait that the journal answers when the key is free.
enum Lock {
    static func plan(_ arguments: JSON, now: Timestamp) -> StepPlan {
        let due = arguments["timeout_milliseconds"]?.int.map { now.adding(milliseconds: $0) }
        return .wait(.lock(key: arguments["key"]?.string ?? ""), dueAt: due)
    }

    /// The lock's token, by which the script gives it back: the id of the wait.
    static func outcome(_ answer: WaitAnswer) -> Outcome {
        guard answer.payload == nil else { return .success(JSON.string(answer.wait).bytes) }
        return .failure(
            ScriptError(
                code: "PG2130", kind: "timeout",
                message: "\"\(answer.address.label)\" did not get its lock in time.",
                hint:
                    "The run's page says who holds a lock; give it a longer `timeout`, or catch this by try.",
                fields: ["step": .string(answer.address.label)]
            ).bytes)
    }

    /// Tokens of locks that steps got which a person has taken back since: they are held by nobody who knows it.
    static func takenBack(_ entries: [Entry]) -> [String] {
        let valid = Set(RunLog.valid(entries).map(\.sequence))
        return entries.compactMap { entry in
            guard case .waitOpened(let step, let wait) = entry.fact, step.verb == "flow.lock",
                !valid.contains(entry.sequence)
            else { return nil }
            return wait
        }
    }
}
