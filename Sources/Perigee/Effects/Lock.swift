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

    /// The steps that got locks which a script still needs, those that came first first.
    ///
    /// - Parameter unlocked: tokens that its replay gave back.
    static func needed(_ entries: [Entry], unlocked: Set<String>) -> [Step] {
        RunLog.valid(entries).compactMap { entry in
            guard case .stepCompleted(let step, .success(let value), _, _) = entry.fact,
                step.verb == "flow.lock", let token = (try? JSON(parsing: value))?.string,
                !unlocked.contains(token)
            else { return nil }
            return step
        }
    }

    /// What is taken back of a run that would go on inside locks that it does not have, so that it asks for them again.
    ///
    /// - Parameters:
    ///   - lost: the steps that got them, those that came first first.
    ///   - entries: those that count.
    /// - Returns: sequences, and the first of the steps inside whose lock something was done that stays.
    static func askAgain(_ lost: [Step], in entries: [Entry]) -> (taken: Set<Int>, begun: Step?) {
        var taken: Set<Int> = []
        var begun: Step?
        for step in lost.reversed() {
            let own = entries.filter { $0.address == step.address }
            let isBegun = entries.contains { entry in
                guard let path = entry.address?.path, let got = own.last, entry.sequence > got.sequence else {
                    return false
                }
                return StepPath.areOnOneLine(step.address.path, path) && !taken.contains(entry.sequence)
            }
            if isBegun { begun = step } else { taken.formUnion(own.map(\.sequence)) }
        }
        return (taken, begun)
    }

    /// The key that a step asks for.
    static func key(of step: Step) -> String {
        (try? JSON(parsing: step.arguments, maxDepth: 80))?["key"]?.string ?? ""
    }

    /// Tokens of locks that steps got which a person has taken back since: they are held by nobody who knows it.
    static func takenBack(_ entries: [Entry]) -> [String] {
        guard let taken = RunLog.takenBack(entries) else { return [] }
        return entries.compactMap { entry in
            guard case .waitOpened(let step, let wait, _) = entry.fact, step.verb == "flow.lock",
                taken.contains(entry.sequence)
            else { return nil }
            return wait
        }
    }
}
