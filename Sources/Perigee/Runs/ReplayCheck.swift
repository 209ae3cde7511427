import PerigeeJournal

/// Whether a waiting run can go on with another version of its script.
enum ReplayVerdict: Sendable {
    /// The version comes to the very step at which the run waits, by way of everything that is recorded.
    case moves
    case stays(String)
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

    private static func reason(_ error: Payload) -> String {
        let fields = try? JSON(parsing: error)
        let message = fields?["message"]?.string ?? "it fails"
        let prefix = "The script went another way than it did before: "
        return message.hasPrefix(prefix) ? String(message.dropFirst(prefix.count).dropLast()) : message
    }
}
