extension MemoryState {
    private func breakerName(_ number: Int64) -> Name {
        Name(namespace: self[number].record.namespace, first: self[number].record.workflow)
    }

    /// Keeps the rule of a workflow's breaker; without one, all runs that it held back go on.
    mutating func setBreaker(_ name: Name, _ rule: BreakerRule?, now: Timestamp) {
        guard let rule else {
            breakers[name] = nil
            _ = letBegin(name, now: now)
            return
        }
        if breakers[name]?.rule != rule { breakers[name, default: WorkflowBreaker(rule)].rule = rule }
    }

    /// Lets one run be tried of each workflow whose pause is over.
    mutating func tryHeldRuns(of namespace: String, at now: Timestamp) {
        for (name, breaker) in breakers where name.namespace == namespace {
            if let dueAt = breaker.dueAt, dueAt <= now { _ = letBegin(name, limit: 1, now: now) }
        }
    }

    /// Whether a run may be taken; one that has not begun may be held back.
    mutating func mayBegin(_ number: Int64, at now: Timestamp) -> Bool {
        guard self[number].record.startedAt == nil, self[number].record.owner == nil,
            breakers[breakerName(number)]?.admits(number, at: now) == false
        else { return true }
        self[number].isHeld = true
        setWake(number, nil)
        return false
    }

    /// Whether the breaker of the run's workflow, if there is one, lets all begin.
    func isClosed(_ number: Int64) -> Bool {
        breakers[breakerName(number)]?.dueAt == nil
    }

    /// When a run that is held back may be tried; `nil` if there is none.
    func heldRunsDue(_ namespace: String) -> Timestamp? {
        breakers.filter { name, _ in
            name.namespace == namespace && runs.contains { isHeld($0, by: name) }
        }.compactMap(\.value.dueAt).min()
    }

    /// A run ended, or needs attention.
    ///
    /// - Returns: whether a claim has something to do that it had not before.
    mutating func tellBreaker(_ number: Int64, _ status: RunStatus, at now: Timestamp) -> Bool {
        let name = breakerName(number)
        guard var breaker = breakers[name] else { return false }
        let openBefore = breaker.openUntil
        breaker.take(number, hasFailed: status.isFailure, at: now)
        breakers[name] = breaker
        if let openUntil = breaker.openUntil, openUntil != openBefore {
            annotate(number, [breaker.annotation(at: now)])
        }
        let isHolding = runs.contains { isHeld($0, by: name) }
        return breaker.openUntil == nil ? letBegin(name, now: now) : isHolding
    }

    private func isHeld(_ run: Run, by name: Name) -> Bool {
        run.isHeld && run.record.status == .queued && run.record.namespace == name.namespace
            && run.record.workflow == name.first
    }

    private mutating func letBegin(_ name: Name, limit: Int = .max, now: Timestamp) -> Bool {
        let held = runs.filter { isHeld($0, by: name) }.map(\.record.number).prefix(limit)
        for number in held {
            self[number].isHeld = false
            setWake(number, now)
        }
        return !held.isEmpty
    }

    func heldBlockage(_ number: Int64) -> Blockage? {
        guard self[number].isHeld, self[number].record.status == .queued else { return nil }
        return Blockage(
            kind: .breaker, key: self[number].record.workflow, limit: 0, runs: [],
            until: breakers[breakerName(number)]?.dueAt)
    }
}
