/// What is removed when it has been kept long enough.
extension MemoryState {
    mutating func removeExpired(_ expiry: Expiry, now: Timestamp) -> Removal {
        var removal = Removal(runs: 0, events: 0, nextCursor: nil)
        var work = 0
        if expiry.beginsWithIdle {
            work += removeIdle(expiry, now: now)
            removal.nextCursor = .idle
        }
        for (run, mayGo) in endedRuns(expiry, now: now) {
            guard work < expiry.limit else { return removal }
            removal.nextCursor = .run(
                workflow: run.workflow, endedAt: run.endedAt ?? now, number: run.number)
            work += 1
            guard mayGo else { continue }
            work += self[run.number].entries.count + self[run.number].annotations.count
            remove(run.number)
            removal.runs += 1
        }
        guard work < expiry.limit else { return removal }
        removeEvents(expiry, now: now, &removal)
        return removal
    }

    /// - Returns: how many were removed.
    private mutating func removeIdle(_ expiry: Expiry, now: Timestamp) -> Int {
        let idle = gates.filter { name, line in
            name.namespace == expiry.namespace && line.gate.forgetAt.map { $0 <= now } ?? false
        }
        let goingGates = idle.keys.sorted { $0.first < $1.first }.prefix(expiry.limit)
        for name in goingGates { gates[name] = nil }
        let old = values.compactMap { name, value -> (name: Name, until: Timestamp)? in
            guard name.namespace == expiry.namespace, name.second.hasPrefix(KeptReply.prefix),
                let until = KeptReply(value)?.until, until <= now
            else { return nil }
            return (name, until)
        }
        let ordered = old.sorted { left, right in
            (left.until, left.name.first, left.name.second) < (
                right.until, right.name.first, right.name.second
            )
        }
        let goingReplies = ordered.prefix(expiry.limit - goingGates.count)
        for reply in goingReplies { values[reply.name] = nil }
        return goingGates.count + goingReplies.count
    }

    /// Runs that are old enough, workflow by workflow, those that ended first first, and whether they may go: a child
    /// stays until its parent has ended.
    private func endedRuns(_ expiry: Expiry, now: Timestamp) -> [(run: RunRecord, mayGo: Bool)] {
        if case .event? = expiry.cursor { return [] }
        let awaited = Set(children.filter { !self[$0.key].record.status.isFinal }.flatMap(\.value))
        let ended = runs.filter { run in
            let record = run.record
            guard record.namespace == expiry.namespace, !run.isRemoved, let endedAt = record.endedAt,
                let end = keep(record, expiry).end(at: now)
            else { return false }
            return endedAt <= end
        }
        func place(_ run: RunRecord) -> (String, Timestamp, Int64) {
            (run.workflow, run.endedAt ?? now, run.number)
        }
        let ordered = ended.map(\.record).sorted { place($0) < place($1) }
        return ordered.filter { run in
            guard case .run(let workflow, let endedAt, let number)? = expiry.cursor else { return true }
            return place(run) > (workflow, endedAt, number)
        }.map { ($0, !awaited.contains($0.number)) }
    }

    private func keep(_ run: RunRecord, _ expiry: Expiry) -> Keep {
        versions[Name(namespace: run.namespace, first: run.workflow)]?.last?.rules.keep ?? expiry.keep
    }

    private mutating func remove(_ number: Int64) {
        let id = self[number].record.id
        if let key = keyName(number) { runKeys[key]?.removeAll { $0 == number } }
        requests = requests.filter { $0.value.receipt.eventID != nil || $0.value.receipt.runs != [id] }
        approvals = approvals.filter { $0.value.run != id }
        approvalOrder.removeAll { approvals[$0] == nil }
        runNumbers[id] = nil
        self[number].isRemoved = true
        self[number].entries = []
        self[number].annotations = []
    }

    private mutating func removeEvents(_ expiry: Expiry, now: Timestamp, _ removal: inout Removal) {
        removal.nextCursor = nil
        guard let end = expiry.keep.end(at: now) else { return }
        let open = runs.filter { $0.record.namespace == expiry.namespace && !$0.record.status.isFinal }
        let firstNeeded = open.map { $0.begunAfter ?? $0.eventsAfter }.min() ?? .max
        var looked: [Int] = []
        for position in events.indices.dropFirst(Int(expiry.eventsAfter)) {
            let event = events[position]
            guard event.record.namespace == expiry.namespace, !event.isRemoved else { continue }
            guard looked.count < expiry.limit, event.record.at <= end, position < firstNeeded else { break }
            looked.append(position)
        }
        if looked.count == expiry.limit { removal.nextCursor = looked.last.map { .event(Int64($0) + 1) } }
        for position in looked where !events[position].runs.contains(where: { runNumbers[$0] != nil }) {
            requests = requests.filter { $0.value.receipt.eventID != events[position].record.id }
            eventIDs.remove(events[position].record.id)
            eventSources[events[position].record.sourceName] = nil
            events[position].isRemoved = true
            events[position].data = .null
            removal.events += 1
        }
    }
}
