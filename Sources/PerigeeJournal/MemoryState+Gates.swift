extension MemoryState {
    /// A gate, and who waits at it in the order of their arrival.
    struct GateLine {
        var gate = Gate()
        var waits: [String] = []
    }

    /// A wait for a turn at a gate: it is answered at once if it can be.
    mutating func openForGate(_ number: Int64, _ wait: String, _ ticket: GateTicket, at now: Timestamp)
        -> Bool
    {
        let name = Name(namespace: self[number].record.namespace, first: ticket.key)
        gates[name, default: GateLine()].waits.append(wait)
        return answerAtGate(name, at: now)
    }

    /// Takes a wait away from its gate: out of the line, or, if it was let through, with how that ended.
    ///
    /// - Returns: whether a claim has something to do that it had not before.
    mutating func leaveGate(
        _ number: Int64, _ open: OpenWait, _ ticket: GateTicket, hasFailed: Bool?, at now: Timestamp
    ) -> Bool {
        let name = Name(namespace: self[number].record.namespace, first: ticket.key)
        gates[name]?.waits.removeAll { $0 == open.wait.id }
        guard open.answer != nil else { return false }
        gates[name]?.gate.end(open.wait.id, ticket, hasFailed: hasFailed, at: now)
        return answerAtGate(name, at: now)
    }

    /// Answers those who wait at gates that may have opened by now.
    mutating func answerAtDueGates(of namespace: String, at now: Timestamp) {
        let due = gates.filter { name, line in
            name.namespace == namespace && line.gate.dueAt.map { $0 <= now } ?? false
        }
        for name in due.keys.sorted(by: { $0.first < $1.first }) { _ = answerAtGate(name, at: now) }
    }

    /// Answers those who wait at a gate, as many as it lets through now.
    ///
    /// - Returns: whether a claim has something to do that it had not before.
    private mutating func answerAtGate(_ name: Name, at now: Timestamp) -> Bool {
        guard var line = gates[name] else { return false }
        let dueBefore = line.gate.dueAt
        var wakes = false
        while let (candidate, reply) = line.gate.next(of: candidates(line.waits), at: now) {
            line.waits.removeAll { $0 == candidate.wait }
            wakes = answer(candidate.wait, payload: reply.payload, at: now) || wakes
        }
        gates[name] = line
        return wakes || line.gate.dueAt.map { $0 < dueBefore ?? Timestamp(milliseconds: .max) } ?? false
    }

    /// Of each workflow the wait that came first, of those that wait however long and of those that do not.
    private func candidates(_ waits: [String]) -> [Gate.Candidate] {
        var seen: Set<Name> = []
        return waits.enumerated().compactMap { place, wait in
            guard let run = waitRuns[wait].map({ self[$0] }),
                case .gate(let ticket)? = run.waits.first(where: { $0.wait.id == wait })?.wait.kind,
                seen.insert(
                    Name(namespace: run.record.workflow, first: ticket.isImpatient ? "impatient" : "")
                ).inserted
            else { return nil }
            return Gate.Candidate(
                wait: wait, workflow: run.record.workflow, place: Int64(place), ticket: ticket)
        }
    }

    func awaitedGates(_ number: Int64) -> [AwaitedGate] {
        self[number].waits.compactMap { open in
            guard open.answer == nil, case .gate(let ticket) = open.wait.kind else { return nil }
            let line = gates[Name(namespace: self[number].record.namespace, first: ticket.key)]
            return AwaitedGate(
                key: ticket.key, ahead: line?.waits.firstIndex(of: open.wait.id) ?? 0,
                openUntil: line?.gate.openUntil, nextAt: line?.gate.dueAt)
        }
    }
}

extension Gate.Answer {
    /// What the wait is answered with: `{"granted":true}`, or `{"refused":…}` with a moment in milliseconds.
    package var payload: Payload {
        switch self {
        case .admitted: JSON.object(["granted": true]).bytes
        case .refused(let until): JSON.object(["refused": .int(until.milliseconds)]).bytes
        }
    }
}
