import PerigeeJournal

/// Why an action is refused.
extension HostError {
    static func notNow(_ request: RunRequest, _ run: RunRecord) -> HostError {
        let state =
            run.status == .running && run.pausedAt != nil
            ? "is being paused"
            : run.cancelRequest != nil ? "is being cancelled" : "is \(run.status.rawValue)"
        return HostError(
            code: "PG4130", status: 409, title: "Not possible now",
            message: "The run \(run.id) \(state), so it can't be \(request.verb).",
            hint: "Nothing was changed; look at the run as it stands now.")
    }

    static func stopsAgain(_ run: RunRecord, _ error: JSON?, _ version: RunRequest.RetryVersion) -> HostError
    {
        let why = error?["message"]?.string ?? "the same error"
        let other = version == .same ? "retry it with the newest version, " : "correct the script, "
        return HostError(
            code: "PG4131", status: 409, title: "It would stop again",
            message: "If it went on there, the run \(run.id) would stop at once as it did: \(why)",
            hint: "Nothing was changed; \(other)set a step's result by hand, or fork it from an earlier step."
        )
    }

    static func goesAnotherWay(_ run: RunRecord, _ version: Int?, _ reason: String) -> HostError {
        let what = version.map { "Version \($0)" } ?? "The script"
        return HostError(
            code: "PG4132", status: 409, title: "It would go another way",
            message: "\(what) does not come to where the run \(run.id) stopped: \(reason).",
            hint:
                "Nothing was changed; retry it on the version that it is on, or fork it from an earlier step."
        )
    }

    static func hasUnwound(_ run: RunRecord, _ labels: [String]) -> HostError {
        HostError(
            code: "PG4133", status: 409, title: "It has unwound",
            message: "The run \(run.id) has undone things on its way to its end: "
                + labels.prefix(5).joined(separator: ", ") + ".",
            hint: "Nothing was changed; fork it from a step before what was undone.")
    }

    static func withoutLock(_ key: String, _ step: StepAddress) -> HostError {
        HostError(
            code: "PG4143", status: 409, title: "It would go on without its lock",
            message: "It would go on in the middle of \"\(step.label)\" without the lock \"\(key)\": "
                + "that was given back, and a fork has none of its own.",
            hint: "Nothing was changed; fork it from the step \(step) or from before it, "
                + "where it asks for the lock again.")
    }

    static func unknownStep(_ step: StepReference, _ known: [StepAddress]) -> HostError {
        let labels = known.map(\.label)
        let near = step.label.flatMap { NearestName.of($0, among: labels) }
        let list = labels.isEmpty ? "There is none now." : "It may be \(labels.joined(separator: ", "))."
        return HostError(
            code: "PG4134", status: 404, title: "Unknown step",
            message: "The run has no step \"\(step.label ?? "")\" of which this can be asked.",
            hint: near.map { "Did you mean \"\($0)\"?" } ?? list)
    }

    static func ambiguousStep(_ steps: [StepAddress]) -> HostError {
        HostError(
            code: "PG4135", status: 409, title: "More than one step",
            message: "\(steps.count) steps may be meant: "
                + steps.prefix(5).map { "\($0)" }.joined(separator: ", ") + ".",
            hint: "Say which by `path` and `occurrence`; an address is /path/label#occurrence.")
    }

    static let reasonRequired = HostError(
        code: "PG4136", status: 422, title: "Reason required",
        message: "A result that is set by hand needs a reason.",
        hint: "Say in `reason` why, for those who look at it later.")

    static func unknownVersion(_ workflow: String, _ number: Int) -> HostError {
        HostError(
            code: "PG4138", status: 404, title: "Unknown version",
            message: "The workflow \"\(workflow)\" has no version \(number).",
            hint: "Name one that a run is on, or \"newest\".")
    }

    static func keyTaken(_ key: String, _ run: RunRecord) -> HostError {
        HostError(
            code: "PG4139", status: 409, title: "Key is taken",
            message: "The run \(run.id) has the key \"\(key)\" already.",
            hint: "Nothing was started; give another key, or none.")
    }

    static func neverBegan(_ run: RunRecord, _ error: JSON) -> HostError {
        HostError(
            code: "PG4137", status: 409, title: "It never began",
            message: "The run \(run.id) could not begin: \(error["message"]?.string ?? "see its error")",
            hint: "Fork it with a corrected input; this run stays as it is.")
    }
}
