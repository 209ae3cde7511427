import PerigeeJournal

@testable import Perigee

extension SimulatedHost {
    /// The runs of which a call may have been sent that must not be sent twice.
    func inDoubt() async throws -> [RunRecord] {
        let query = RunQuery(namespace: "main", statuses: [.attention], limit: 500)
        return try await journal.runs(query).runs.filter { run in
            run.error.flatMap { try? JSON(parsing: $0) }?["code"] == "PG2165"
        }
    }

    /// Somebody looks at a call that may have been sent, and retries its run or says how the call ended.
    func settleOne() async throws {
        guard let run = try await inDoubt().randomElement(using: &random),
            let compiled = programs[run.workflow]?.compiled,
            let history = try await journal.history(run: run.id)
        else { return }
        let error = run.error.flatMap { try? JSON(parsing: $0) }
        let awaited = AwaitedRun.all(in: history)
        let plan = RetryPlan(history.entries, error: error, keeping: awaited)
        let reset = Entry(sequence: run.entryCount + 1, recordedAt: run.createdAt, fact: .reset(plan.reset))
        guard
            case .goesOn(let next, let inside) = ReplayCheck.foresee(
                run, entries: history.entries + [reset], compiled: compiled, context: context)
        else {
            world.violations.append("\(run.id) can't go on")
            return
        }
        let held = try await journal.relations(run: run.id)?.heldLocks.map(\.key) ?? []
        let needed = inside.map(Lock.key)
        guard needed.allSatisfy(held.contains) else {
            world.violations.append("\(run.id) needs \(needed) to go on, and has \(held)")
            return
        }
        var reopening = Reopening(entryCount: run.entryCount, reset: plan.reset)
        reopening.locks = needed.sorted()
        reopening.awaits = awaited.map(\.wait)
        let step = next.filter { $0.label == error?["step"]?.string }.randomElement(using: &random)
        if let step, chance(50) { reopening.result = result(of: step) }
        say("retry \(run.id) \(reopening.result.map { "with a result for \($0.address)" } ?? "")")
        let sent = ResentCall.calls(in: history) { plan.reset.contains($0.sequence) }.map(\.address)
        for step in sent where step != reopening.result?.address {
            world.onceAllowed["\(run.id) \(step)", default: 0] += 1
        }
        let note = ActionNote(by: "ana", action: "retry")
        guard case .done? = try await journal.act(on: run.id, .retry(reopening), note: note, now: now) else {
            world.violations.append("\(run.id) can't be retried")
            return
        }
    }

    private func result(of step: StepAddress) -> Reopening.StepResult {
        let id = Int(step.label.split(separator: " ").last ?? "") ?? 0
        let reply: JSON = ["status": 200, "json": ["n": .int(Int64(id.answer))]]
        return Reopening.StepResult(address: step, value: reply.bytes)
    }
}
