import PerigeeJournal

/// `flow.continue(input)`: the run ends, and a fresh one of the same workflow goes on in its place.
enum Continuation {
    /// - Parameter target: the newest version; where there is none any longer, the run's own is used.
    static func plan(
        _ arguments: JSON, run: RunRecord, target: NamedWorkflow?
    ) -> StepPlan {
        let trigger: JSON = ["type": "continued", "run": .string(run.id)]
        let input = arguments["input"] ?? .object([:])
        guard case .success(let target)? = target else {
            let timeout = run.deadlineAt.map {
                $0.milliseconds - (run.startedAt ?? run.createdAt).milliseconds
            }
            return .goOn(
                .success(
                    NewRun(
                        id: "", workflow: run.workflow, version: run.version, bundle: run.bundle,
                        input: input.bytes, trigger: trigger.bytes, correlationID: run.correlationID,
                        timeoutMilliseconds: timeout)))
        }
        let start = RunStart(target: target, input: input, trigger: trigger, key: run.key)
        guard start.faults.isEmpty else {
            return .goOn(.failure(Child.unfit(start.faults, target, "flow.continue")))
        }
        return .goOn(.success(start.newRun(id: "", correlationID: run.correlationID)))
    }
}
