extension MemoryState {
    /// Does what the end of a run means to others: locks, those who wait for it, and its children.
    ///
    /// - Returns: whether a run can be claimed now that could not before, and whether children were closed.
    mutating func settleEnd(_ number: Int64, at: Timestamp) -> EndEffects {
        var effects = EndEffects()
        for hold in locks.filter({ $0.run == number }) {
            effects.wakesRuns = release(hold, at: at) || effects.wakesRuns
        }
        let record = self[number].record
        if record.status != .continued {
            let end = ChildEnd(
                run: record.id, status: record.status, output: record.output, error: record.error)
            for wait in endWaits.removeValue(forKey: record.id) ?? [] {
                effects.wakesRuns = answer(wait, payload: end.payload, at: at) || effects.wakesRuns
            }
        }
        for child in children[number] ?? [] where !self[child].record.status.isFinal {
            effects.formUnion(parentEnded(child, record, at: at))
        }
        return effects
    }

    private mutating func parentEnded(_ child: Int64, _ parent: RunRecord, at: Timestamp) -> EndEffects {
        guard let policy = self[child].record.parent?.onEnd, policy != .abandon else { return EndEffects() }
        let error = ChildEnd.parentEnded(parent.id, parent.status)
        let record = self[child].record
        let isAsked = policy == .cancel && record.startedAt != nil && record.status != .attention
        guard isAsked else {
            let status: RunStatus = policy == .cancel ? .cancelled : .terminated
            var effects = EndEffects(closesChildren: true)
            effects.formUnion(end(child, status, output: nil, error: error, at: at))
            return effects
        }
        if record.cancelRequest == nil { askToEnd(child, error: error, now: at) }
        return EndEffects(wakesRuns: true)
    }

    /// Answers a wait by its id, if it is open.
    mutating func answer(_ id: String, payload: Payload?, at: Timestamp) -> Bool {
        guard let number = waitRuns[id],
            let index = self[number].waits.firstIndex(where: { $0.wait.id == id && $0.answer == nil })
        else { return false }
        return answer(number, index, payload: payload, at: at)
    }

    // MARK: Starting and continuing

    mutating func begin(_ commit: Commit, namespace: String) throws(JournalError) -> BegunRuns {
        var begun = BegunRuns()
        for start in commit.starts {
            begun.take(start, try submit(Submission(namespace: namespace, starts: [start]), now: commit.at))
        }
        return begun
    }

    mutating func open(_ number: Int64, _ wait: Wait, _ begun: BegunRuns, now: Timestamp) -> Bool {
        var wait = wait
        let refusal = wait.resolve(by: begun)
        let opensGate = open(number, wait, now: now)
        if let refusal { _ = answer(wait.id, payload: refusal, at: now) }
        return opensGate
    }

    /// Begins the run that goes on for one that is about to end.
    mutating func goOn(
        _ number: Int64, as continuation: NewRun, at: Timestamp
    ) throws(JournalError) -> Bool {
        let old = self[number].record
        if let fault = continuation.fault(continuing: old) { throw fault }
        var next = continuation
        next.key = old.key
        next.onConflict = .queue
        next.startAt = nil
        next.parent = old.parent
        let begun = try submit(Submission(namespace: old.namespace, starts: [next]), now: at)
        guard let new = runNumbers[next.id] else { return begun.wakes }
        self[number].record.continuedAs = next.id
        self[new].record.continuedFrom = old.id
        self[new].begunAfter = self[new].eventsAfter
        self[new].eventsAfter = self[number].eventsAfter
        self[new].usedEvents = self[number].usedEvents
        if let pausedAt = old.pausedAt {
            self[new].record.pausedAt = pausedAt
            letGo(new, .paused)
        }
        for name in schedules.keys where schedules[name]?.runs.contains(number) ?? false {
            schedules[name]?.runs.insert(new)
        }
        for id in endWaits.removeValue(forKey: old.id) ?? [] {
            endWaits[next.id, default: []].append(id)
            guard let waiter = waitRuns[id],
                let index = self[waiter].waits.firstIndex(where: { $0.wait.id == id })
            else { continue }
            self[waiter].waits[index].wait.kind = .child(run: next.id)
        }
        return takePlace(new, of: number, now: at) || begun.wakes && old.pausedAt == nil
    }

    /// A wait for the end of a run: one that has ended already answers at once, as the last of those that went on
    /// for it; so does the waiting run itself, which could not end before.
    mutating func openForEnd(_ number: Int64, _ wait: String, of run: String, at: Timestamp) {
        var target = run
        while let next = runNumbers[target].flatMap({ self[$0].record.continuedAs }) { target = next }
        if let index = self[number].waits.firstIndex(where: { $0.wait.id == wait }) {
            self[number].waits[index].wait.kind = .child(run: target)
        }
        guard let record = runNumbers[target].map({ self[$0].record }),
            record.status.isFinal || record.number == number
        else {
            endWaits[target, default: []].append(wait)
            return
        }
        let end = ChildEnd(run: record.id, status: record.status, output: record.output, error: record.error)
        _ = answer(wait, payload: end.payload, at: at)
    }

    func relations(run id: String) -> RunRelations? {
        guard let number = runNumbers[id] else { return nil }
        let children = (children[number] ?? []).filter { !self[$0].isRemoved }
        let shown = children.prefix(RunRelations.maxChildren).compactMap { child -> ChildRun? in
            let record = self[child].record
            return record.parent.map {
                ChildRun(
                    id: record.id, number: child, workflow: record.workflow, status: record.status,
                    step: $0.step)
            }
        }
        return RunRelations(
            children: shown, childCount: children.count,
            heldLocks: locks.filter { $0.run == number }.map {
                HeldLock(key: $0.key, step: $0.step, since: $0.since)
            }, awaitedLocks: awaitedLocks(number),
            awaitedGates: awaitedGates(number))
    }
}
