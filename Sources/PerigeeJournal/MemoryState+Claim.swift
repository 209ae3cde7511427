extension MemoryState {
    mutating func heartbeat(host: String, now: Timestamp, leaseUntil: Timestamp) -> Heartbeat {
        leases = leases.filter { $0.key == host || $0.value > now }
        let freed = free(now: now) { owner, leases in leases[owner] == nil }
        leases[host] = leaseUntil
        return Heartbeat(freed: freed)
    }

    mutating func release(host: String, now: Timestamp) {
        leases[host] = nil
        _ = free(now: now) { owner, _ in owner == host }
    }

    /// Frees the runs whose owner is gone.
    private mutating func free(
        now: Timestamp, where isGone: (String, [String: Timestamp]) -> Bool
    ) -> Int {
        let gone = runs.filter { run in run.record.owner.map { isGone($0, leases) } ?? false }
        for run in gone { free(run.record.number, now: now) }
        return gone.count
    }

    mutating func claim(host: String, namespace: String, now: Timestamp, limit: Int, only: Int64?) -> Claim {
        if only == nil {
            answerAtDueGates(of: namespace, at: now)
            tryHeldRuns(of: namespace, at: now)
        }
        var chosen = only.map { canClaim($0, namespace) ? [$0] : [] } ?? due(host, namespace, now: now, limit)
        if chosen.contains(where: { self[$0].turn == .waitsForTime }) {
            enterLines(of: namespace, now: now)
            chosen = due(host, namespace, now: now, limit)
        }
        var claim = Claim(runs: [], nextDue: nil)
        for number in chosen where only != nil || mayBegin(number, at: now) {
            if self[number].record.owner == nil {
                claim.runs.append(take(number, host: host, now: now))
            } else {
                claim.told.append(tell(number, now: now))
            }
        }
        let gatesDue = gates.filter { $0.key.namespace == namespace }.compactMap(\.value.gate.dueAt)
        let runsDue = mine(host, namespace).compactMap { self[$0].wakeAt }
        claim.nextDue = (runsDue + gatesDue + [heldRunsDue(namespace)].compactMap { $0 }).min()
        return claim
    }

    private func mine(_ host: String, _ namespace: String) -> Set<Int64> {
        wakeable.filter { number in
            let record = self[number].record
            return record.namespace == namespace && (record.owner == nil || record.owner == host)
        }
    }

    /// The runs that something has come for, those that could go on longest first.
    private func due(_ host: String, _ namespace: String, now: Timestamp, _ limit: Int) -> [Int64] {
        let ready = mine(host, namespace).filter { wakesBy(now, $0) }
        return Array(ready.sorted { (wakeTime($0), $0) < (wakeTime($1), $1) }.prefix(limit))
    }

    /// What has come for a run that goes on working.
    private mutating func tell(_ number: Int64, now: Timestamp) -> ClaimedRun {
        answerDueWaits(number, now: now)
        let run = self[number]
        let deadline = run.isEnding ? nil : run.record.deadlineAt.flatMap { $0 > now ? $0 : nil }
        let due = run.waits.filter { $0.answer == nil }.compactMap(\.wait.dueAt)
        setWake(number, (due + [deadline].compactMap { $0 }).min())
        return claimed(number)
    }

    private mutating func claimed(_ number: Int64) -> ClaimedRun {
        let epoch = self[number].record.epoch
        for index in self[number].waits.indices {
            guard case .gate = self[number].waits[index].wait.kind else { continue }
            guard self[number].waits[index].answer != nil else { continue }
            let deliveredIn = self[number].waits[index].deliveredIn ?? epoch
            self[number].waits[index].deliveredIn = deliveredIn
            self[number].waits[index].answer?.isRedelivered = deliveredIn < epoch
        }
        let answered = self[number].waits.filter { $0.answer != nil }
        let answers = answered.sorted { $0.arrival < $1.arrival }.compactMap(\.answer)
        return ClaimedRun(run: self[number].record, answers: answers.sortedByTime())
    }

    private func wakeTime(_ number: Int64) -> Timestamp {
        self[number].wakeAt ?? Timestamp(milliseconds: .max)
    }

    private func wakesBy(_ now: Timestamp, _ number: Int64) -> Bool {
        self[number].wakeAt.map { $0 <= now } ?? false
    }

    private func canClaim(_ number: Int64, _ namespace: String) -> Bool {
        guard number >= 1, number <= runs.count else { return false }
        let record = self[number].record
        return record.namespace == namespace && record.owner == nil && !isInLine(number)
            && (record.status == .queued || record.status == .waiting)
    }

    mutating func take(_ number: Int64, host: String, now: Timestamp) -> ClaimedRun {
        answerDueWaits(number, now: now)
        self[number].record.owner = host
        self[number].record.epoch += 1
        self[number].record.status = .running
        self[number].isHeld = false
        if self[number].record.startedAt == nil {
            self[number].record.startedAt = now
            self[number].record.deadlineAt = self[number].timeoutMilliseconds.map {
                now.adding(milliseconds: $0)
            }
        }
        setWake(number, self[number].isEnding ? nil : self[number].record.deadlineAt)
        return claimed(number)
    }

    private mutating func answerDueWaits(_ number: Int64, now: Timestamp) {
        let due = self[number].waits.enumerated().filter { _, open in
            open.answer == nil && (open.wait.dueAt.map { $0 <= now } ?? false)
        }
        let ordered = due.sorted { ($0.element.dueTime, $0.offset) < ($1.element.dueTime, $1.offset) }
        for (index, open) in ordered {
            _ = answer(number, index, payload: nil, at: now)
            if approvals[open.wait.id]?.status == .waiting { approvals[open.wait.id]?.status = .expired }
        }
    }

    mutating func cancel(run id: String, error: Payload, isForced: Bool, now: Timestamp) -> Cancellation? {
        guard let number = runNumbers[id] else { return nil }
        let record = self[number].record
        if record.status.isFinal { return .alreadyEnded(shown(number)) }
        guard !isForced, record.cancelRequest == nil else {
            end(number, .terminated, output: nil, error: error, at: now)
            return .ended(shown(number))
        }
        guard record.startedAt != nil, record.status != .attention else {
            end(number, .cancelled, output: nil, error: error, at: now)
            return .ended(shown(number))
        }
        askToEnd(number, error: error, now: now)
        return .requested(shown(number))
    }

    /// A paused run goes on to its end; one that stands in line hears of it when its turn comes.
    mutating func askToEnd(_ number: Int64, error: Payload, now: Timestamp) {
        self[number].record.cancelRequest = error
        self[number].record.pausedAt = nil
        if self[number].record.status == .paused { self[number].record.status = .queued }
        if !isInLine(number) { setWake(number, self[number].wakeAt.map { min($0, now) } ?? now) }
    }
}

extension MemoryState.OpenWait {
    fileprivate var dueTime: Timestamp { wait.dueAt ?? Timestamp(milliseconds: .max) }
}

extension [WaitAnswer] {
    /// Oldest first; answers of the same moment stay in the order of their arrival.
    fileprivate func sortedByTime() -> [WaitAnswer] {
        enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
    }
}
