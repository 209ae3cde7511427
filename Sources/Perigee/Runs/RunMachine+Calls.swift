import PerigeeJournal

/// The attempts of a call: each is an effect of its own, and between two of them the run waits.
extension RunMachine {
    /// An effect has ended; returns whether a branch can go on.
    mutating func takeEnd(of token: Int, _ end: EffectEnd, at now: Timestamp) -> Bool {
        guard let (branch, step, effect) = effects.removeValue(forKey: token) else { return false }
        unsaved.annotations += end.attempts.map { $0.annotation(of: step, at: now) }
        unsaved.closes += effect.turns
        for turn in effect.turns { unsaved.failures[turn] = end.hasFailed }
        if let kept = end.keeps { unsaved.writes.append(kept) }
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
            (call.made, call.since, call.turn, call.isAdmitted) = (attempts, startedAt, nil, false)
            wait(.retry, dueAt: next, step, for: branch, attempts: attempts, then: .http(call), at: now)
            return false
        }
    }

    /// An effect is to begin: what keeps to a gate waits for its turn first.
    mutating func begin(_ effect: Effect, _ step: Step, for branch: Int, at now: Timestamp) {
        guard case .http(var call) = effect else { return perform(effect, step, for: branch) }
        if let ticket = call.gate, !call.isAdmitted {
            unsaved.closes += effect.turns
            call.turn = nil
            return wait(
                .gate(ticket), dueAt: nil, step, for: branch, attempts: call.made, then: .http(call), at: now)
        }
        // That it is about to be sent is durable before it is.
        if call.isOnce, call.refusedUntil == nil { record(.attemptBegun(step), at: now) }
        perform(effect, step, for: branch)
    }

    /// How long after its turn came an attempt may begin, in milliseconds.
    ///
    /// Its place at the gate is kept for a little longer than the attempt itself may take.
    private static let turnMilliseconds: Int64 = 10_000

    /// A wait between two attempts, or for a turn at a gate, has ended: the next step is taken, unless the run is to be
    /// paused.
    mutating func goOn(
        _ effect: Effect, _ step: Step, _ answer: WaitAnswer, for branch: Int, at now: Timestamp
    ) {
        guard case .http(var call) = effect else { return }
        call.turn = answer.wait
        let reply = answer.payload.flatMap { try? JSON(parsing: $0) }
        call.refusedUntil = reply?["refused"]?.int.map(Timestamp.init(milliseconds:))
        // What was told before a crash may have been sent; it counts, and this is another one.
        let isFresh =
            !answer.isRedelivered
            && now <= answer.at.adding(milliseconds: RunMachine.turnMilliseconds)
        call.isAdmitted = call.refusedUntil != nil || reply?["granted"] == true && isFresh
        branches[branch]?.block = .fresh(step, .effect(.http(call)))
        fresh.append(branch)
    }

    /// The script has come to a step at which the run waits.
    mutating func goOnWaiting(
        _ open: RunLog.OpenWait, _ step: Step, _ request: StepRequest, at now: Timestamp
    ) -> Answer {
        guard let wait = open.id else {
            attention(RunMachine.inDoubt(step).json, at: step)
            return .suspend
        }
        var then: Effect?
        if step.verb.hasPrefix("http.") {
            do {
                let plan = try StepPlan(step, secrets: request.secrets, run: run, now: now)
                guard case .effect(.http(var call)) = plan else { return .suspend }
                (call.made, call.since) = (open.attempts, open.since)
                then = .http(call)
            } catch {
                unsaved.closes.append(wait)
                return .deliver(.failure(error.bytes))
            }
        }
        branches[current]?.block = .wait(step, id: wait, then: then)
        waiting[wait] = current
        return .suspend
    }

    /// A step that is done at most once began, and how it ended is not known.
    private static func inDoubt(_ step: Step) -> ScriptError {
        ScriptError(
            code: "PG2165", kind: "conflict",
            message: "\"\(step.address.label)\" may have been sent: the host ended before it knew.",
            hint:
                "It has `once = true`, so it is not sent again. Look at the receiver, then skip the step, give its "
                + "result, or retry the run, which sends it again.")
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
