import PerigeeJournal

/// Whether a waiting run can go on with another version of its script.
enum ReplayVerdict: Sendable {
    /// The version comes to the very step at which the run waits, by way of everything that is recorded.
    case moves
    case stays(String)
}

/// What a run would come to that is to go on.
enum Foresight: Sendable {
    /// It does something that it has not done; `next` are the steps that it comes to, `inside` those by which it got
    /// locks that it then still needs.
    case goesOn(next: [StepAddress], inside: [Step])
    /// It stops at once, by this error.
    case stopsAgain(Payload)
    /// The script goes another way than what is recorded.
    case diverges(String)
}

/// Replays a waiting run against a version: everything that is recorded is given to it, and nothing is performed.
enum ReplayCheck {
    static func run(
        _ claimed: ClaimedRun, entries: [Entry], compiled: CompiledBundle, context: RunContext
    ) -> ReplayVerdict {
        // An answer that came meanwhile would lead beyond the record.
        let unanswered = ClaimedRun(run: claimed.run, answers: [])
        let machine = RunMachine(unanswered, entries: entries, publicURL: context.publicURL)
        guard let execution = try? RunExecution(machine: machine, compiled: compiled, context: context) else {
            return .stays("the version could not be loaded")
        }
        var progress = execution.advance(at: { claimed.run.createdAt })
        while case .preempted = progress { progress = execution.advance(at: { claimed.run.createdAt }) }
        guard case .action(let action) = progress else { return .stays("it does not come to a step") }
        switch action {
        case .commit(let commit):
            // At the wait that is open already, and only there, a replay has nothing new to record.
            if commit.next == .waiting, commit.entries.isEmpty { return .moves }
            if case .attention(let error) = commit.next { return .stays(reason(error)) }
            return .stays("it does not wait where the run waits")
        case .perform(let starts):
            let step = starts.first?.step
            return .stays("it first does \"\(step?.address.label ?? "a step")\" (line \(step?.line ?? 0))")
        case .rest, .release: return .stays("it does not wait where the run waits")
        }
    }

    /// Replays a run that is to go on: what is recorded is given to it, and nothing is performed.
    static func foresee(
        _ run: RunRecord, entries: [Entry], compiled: CompiledBundle, context: RunContext
    ) -> Foresight {
        var run = run
        run.cancelRequest = nil
        let machine = RunMachine(
            ClaimedRun(run: run, answers: []), entries: entries, publicURL: context.publicURL)
        guard let execution = try? RunExecution(machine: machine, compiled: compiled, context: context) else {
            return .diverges("the version could not be loaded")
        }
        var progress = execution.advance(at: { run.createdAt })
        while case .preempted = progress { progress = execution.advance(at: { run.createdAt }) }
        if let divergence = execution.divergence { return .diverges(divergence.reason) }
        var new = execution.machine.unsaved.entries
        var end = execution.decided
        if case .action(.commit(let commit)) = progress {
            new += commit.entries
            end = end ?? commit.next
        }
        let inside = Lock.needed(entries, unlocked: execution.machine.replayedUnlocks)
        let goesOn = Foresight.goesOn(next: execution.machine.underWay, inside: inside)
        guard new.allSatisfy(\.isOfHook) else { return goesOn }
        switch end {
        case .attention(let error)?, .ended(.failed, _, let error?)?: return .stopsAgain(error)
        default: return goesOn
        }
    }

    private static func reason(_ error: Payload) -> String {
        let fields = try? JSON(parsing: error)
        let message = fields?["message"]?.string ?? "it fails"
        let prefix = "The script went another way than it did before: "
        return message.hasPrefix(prefix) ? String(message.dropFirst(prefix.count).dropLast()) : message
    }
}
