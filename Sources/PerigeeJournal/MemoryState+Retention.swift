/// What is removed when it has been kept long enough.
extension MemoryState {
    mutating func removeExpired(_ expiry: Expiry, now: Timestamp) -> Removal {
        var removal = Removal(runs: 0, events: 0, afterEvent: expiry.afterEvent ?? 0)
        if expiry.afterEvent == nil { removeIdle(of: expiry.namespace, now: now) }
        var work = 0
        for number in expiredRuns(expiry, now: now) {
            guard work < expiry.limit else { return removal }
            work += 1 + self[number].entries.count + self[number].annotations.count
            remove(number)
            removal.runs += 1
        }
        guard work < expiry.limit else { return removal }
        removeEvents(expiry, now: now, &removal)
        return removal
    }

    private mutating func removeIdle(of namespace: String, now: Timestamp) {
        gates = gates.filter { name, line in
            name.namespace != namespace || line.gate.forgetAt.map { $0 > now } ?? true
        }
        values = values.filter { name, value in
            guard name.namespace == namespace, name.second.hasPrefix(KeptReply.prefix) else { return true }
            return KeptReply(value).map { $0.until > now } ?? true
        }
    }

    /// Runs that may go, workflow by workflow, those that ended first first.
    private func expiredRuns(_ expiry: Expiry, now: Timestamp) -> [Int64] {
        let awaited = Set(children.filter { !self[$0.key].record.status.isFinal }.flatMap(\.value))
        let ended = runs.filter { run in
            let record = run.record
            guard record.namespace == expiry.namespace, !run.isRemoved, let endedAt = record.endedAt,
                let end = keep(record, expiry).end(at: now)
            else { return false }
            return endedAt <= end && !awaited.contains(record.number)
        }
        let ordered = ended.map(\.record).sorted { left, right in
            (left.workflow, left.endedAt ?? now, left.number)
                < (right.workflow, right.endedAt ?? now, right.number)
        }
        return ordered.map(\.number)
    }

    private func keep(_ run: RunRecord, _ expiry: Expiry) -> Keep {
        versions[Name(namespace: run.namespace, first: run.workflow)]?.last?.rules.keep ?? expiry.keep
    }

    private mutating func remove(_ number: Int64) {
        let id = self[number].record.id
        if let key = keyName(number) { runKeys[key]?.removeAll { $0 == number } }
        requests = requests.filter { $0.value.receipt.runs != [id] }
        approvals = approvals.filter { $0.value.run != id }
        approvalOrder.removeAll { approvals[$0] == nil }
        runNumbers[id] = nil
        self[number].isRemoved = true
        self[number].entries = []
        self[number].annotations = []
    }

    private mutating func removeEvents(_ expiry: Expiry, now: Timestamp, _ removal: inout Removal) {
        guard let end = expiry.keep.end(at: now) else { return removal.afterEvent = nil }
        let open = runs.filter { $0.record.namespace == expiry.namespace && !$0.record.status.isFinal }
        let firstNeeded = open.map { $0.begunAfter ?? $0.eventsAfter }.min() ?? .max
        var looked: [Int] = []
        for position in events.indices.dropFirst(Int(removal.afterEvent ?? 0)) {
            let event = events[position]
            guard event.record.namespace == expiry.namespace, !event.isRemoved else { continue }
            guard looked.count < expiry.limit, event.record.at <= end, position < firstNeeded else { break }
            looked.append(position)
        }
        removal.afterEvent = looked.count < expiry.limit ? nil : looked.last.map { Int64($0) + 1 }
        for position in looked where !events[position].runs.contains(where: { runNumbers[$0] != nil }) {
            eventIDs.remove(events[position].record.id)
            eventSources[events[position].record.sourceName] = nil
            events[position].isRemoved = true
            events[position].data = .null
            removal.events += 1
        }
    }
}
