extension MemoryState {
    mutating func heartbeat(host: String, now: Timestamp, leaseUntil: Timestamp) -> Heartbeat {
        leases = leases.filter { $0.key == host || $0.value > now }
        let freed = free(now: now) { owner, leases in leases[owner] == nil }
        leases[host] = leaseUntil
        let cancelRequested = runs.filter { $0.record.owner == host && $0.cancelError != nil }
        return Heartbeat(freed: freed, cancelRequested: cancelRequested.map(\.record.number))
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
        let ready = wakeable.filter { self[$0].record.namespace == namespace && wakesBy(now, $0) }
        let due = ready.sorted { (wakeTime($0), $0) < (wakeTime($1), $1) }.prefix(limit)
        let chosen = only.map { canClaim($0, namespace) ? [$0] : [] } ?? Array(due)
        let claimed = chosen.map { take($0, host: host, now: now) }
        let rest = wakeable.filter { self[$0].record.namespace == namespace }
        return Claim(runs: claimed, nextDue: rest.compactMap { self[$0].wakeAt }.min())
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

    private mutating func take(_ number: Int64, host: String, now: Timestamp) -> ClaimedRun {
        answerDueWaits(number, now: now)
        setWake(number, nil)
        self[number].record.owner = host
        self[number].record.epoch += 1
        self[number].record.status = .running
        if self[number].record.startedAt == nil { self[number].record.startedAt = now }
        let answered = self[number].waits.filter { $0.answer != nil }
        let answers = answered.sorted { $0.arrival < $1.arrival }.compactMap(\.answer)
        return ClaimedRun(run: shown(number), answers: answers.sortedByTime())
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

    mutating func cancel(run id: String, error: Payload, now: Timestamp) -> Cancellation? {
        guard let number = runNumbers[id] else { return nil }
        if self[number].record.status.isFinal { return .alreadyEnded(shown(number)) }
        if self[number].record.owner != nil {
            if self[number].cancelError == nil { self[number].cancelError = error }
            return .requested(shown(number))
        }
        end(number, .cancelled, output: nil, error: error, at: now)
        return .cancelled(shown(number))
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
