import PerigeeJournal

/// The attempts of a call: each is an effect of its own, and between two of them the run waits.
extension RunMachine {
    /// An effect has ended; returns whether a branch can go on.
    mutating func takeEnd(of token: Int, _ end: EffectEnd, at now: Timestamp) -> Bool {
        guard let (branch, step, effect) = effects.removeValue(forKey: token) else { return false }
        unsaved.annotations += end.attempts.map { $0.annotation(of: step, at: now) }
        unsaved.closes += effect.turns
        switch end.result {
        case .outcome(let outcome, let attempts, let startedAt):
            complete(step, outcome, attempts: attempts, startedAt: startedAt, at: now)
            makeReady(branch, .outcome(outcome))
            return true
        case .attention(let error):
            attention(error.json, at: step)
            return false
        case .again(let next, let attempts, let startedAt):
            guard case .http(var call) = effect else { return false }
            (call.made, call.since, call.turn) = (attempts, startedAt, nil)
            wait(.retry, dueAt: next, step, for: branch, attempts: attempts, then: .http(call), at: now)
            return false
        }
    }

    /// A wait between two attempts has ended: the next one begins, unless the run is to be paused.
    mutating func goOn(_ effect: Effect, _ step: Step, _ answer: WaitAnswer, for branch: Int) {
        guard case .http(var call) = effect else { return }
        call.turn = answer.wait
        branches[branch]?.block = .fresh(step, .effect(.http(call)))
        fresh.append(branch)
    }

    /// The script has come to a step at which the run waits.
    mutating func goOnWaiting(
        _ open: RunLog.OpenWait, _ step: Step, _ request: StepRequest, at now: Timestamp
    ) -> Answer {
        var then: Effect?
        if step.verb.hasPrefix("http.") {
            do {
                let plan = try StepPlan(step, secrets: request.secrets, run: run, now: now)
                guard case .effect(.http(var call)) = plan else { return .suspend }
                (call.made, call.since) = (open.attempts, open.since)
                then = .http(call)
            } catch {
                unsaved.closes.append(open.id)
                return .deliver(.failure(error.bytes))
            }
        }
        branches[current]?.block = .wait(step, id: open.id, then: then)
        waiting[open.id] = current
        return .suspend
    }
}

extension Effect {
    /// The wait that it holds while it is under way.
    var turns: [String] {
        if case .http(let call) = self { call.turn.map { [$0] } ?? [] } else { [] }
    }
}

extension AttemptDetail {
    /// The attempt as the run's page shows it.
    fileprivate func annotation(of step: Step, at now: Timestamp) -> Annotation {
        var data: [String: JSON] = ["attempt": .int(Int64(attempt))]
        if let retryInMilliseconds { data["retry_in_ms"] = .int(retryInMilliseconds) }
        return Annotation(
            ordinal: nil, at: now, kind: .attempt, level: retryInMilliseconds == nil ? "info" : "warning",
            text: summary, data: JSON.object(data).bytes, step: step.address)
    }
}
