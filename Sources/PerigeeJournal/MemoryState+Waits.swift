extension MemoryState {
    /// Opens a wait; one for an event looks back first.
    ///
    /// - Returns: whether a claim has something to do that does not show in when the run is to be woken.
    mutating func open(_ number: Int64, _ wait: Wait, now: Timestamp) -> Bool {
        self[number].waits.append(OpenWait(wait: wait))
        waitRuns[wait.id] = number
        let run = self[number]
        switch wait.kind {
        case .timer, .retry: break
        case .gate(let ticket): return openForGate(number, wait.id, ticket, at: now)
        case .lock(let key): openForLock(number, wait, key: key, at: now)
        case .child(let target): openForEnd(number, wait.id, of: target, at: now)
        case .started(let started):
            _ = answer(number, run.waits.count - 1, payload: JSON.string(started).bytes, at: now)
        case .approval(let request):
            approvals[wait.id] = ApprovalRecord(
                id: wait.id, run: run.record.id, namespace: run.record.namespace,
                workflow: run.record.workflow, address: wait.address, request: request, status: .waiting,
                openedAt: wait.openedAt, dueAt: wait.dueAt)
            approvalOrder.append(wait.id)
        case .event:
            let found = events.indices.dropFirst(run.eventsAfter).first { position in
                let event = events[position]
                return event.record.namespace == run.record.namespace && !event.isRemoved
                    && !run.usedEvents.contains(position)
                    && wait.kind.isAnswered(by: event.record, event.data, now: now)
            }
            guard let found else { return false }
            _ = answer(
                number, run.waits.count - 1, payload: events[found].record.envelope, at: now, event: found)
        }
        return false
    }

    /// Takes a wait away; a question that nobody has answered is cancelled.
    ///
    /// - Returns: whether a claim has something to do that it had not before.
    mutating func close(_ number: Int64, _ id: String, hasFailed: Bool? = nil, now: Timestamp) -> Bool {
        guard waitRuns[id] == number else { return false }
        waitRuns[id] = nil
        var opensGate = false
        if let open = self[number].waits.first(where: { $0.wait.id == id }) {
            switch open.wait.kind {
            case .lock(let key): leaveQueue(number, id, key: key)
            case .child(let target): endWaits[target]?.removeAll { $0 == id }
            case .gate(let ticket):
                opensGate = leaveGate(number, open, ticket, hasFailed: hasFailed, at: now)
            case .timer, .retry, .event, .approval, .started: break
            }
        }
        self[number].waits.removeAll { $0.wait.id == id }
        if approvals[id]?.status == .waiting { approvals[id]?.status = .cancelled }
        return opensGate
    }

    /// Takes all waits away; events that answered one and that the run did not take are there for another.
    ///
    /// - Returns: whether a claim has something to do that it had not before.
    mutating func dropWaits(_ number: Int64, now: Timestamp) -> Bool {
        self[number].usedEvents.subtract(self[number].waits.compactMap(\.event))
        var opensGate = false
        // Those that wait first: a gate that a call leaves would let another wait of this run through.
        let waits =
            self[number].waits.filter { $0.answer == nil } + self[number].waits.filter { $0.answer != nil }
        for open in waits where close(number, open.wait.id, now: now) { opensGate = true }
        return opensGate
    }

    /// Answers a wait.
    ///
    /// - Returns: whether its run can be claimed now and could not before.
    mutating func answer(
        _ number: Int64, _ index: Int, payload: Payload?, at: Timestamp, event: Int? = nil,
        isResult: Bool = false
    ) -> Bool {
        let run = self[number]
        let wait = run.waits[index].wait
        if case .lock(let key) = wait.kind { leaveQueue(number, wait.id, key: key) }
        if case .gate(let ticket) = wait.kind {
            let name = Name(namespace: run.record.namespace, first: ticket.key)
            gates[name]?.waits.removeAll { $0 == wait.id }
        }
        self[number].waits[index].arrival = (run.waits.map(\.arrival).max() ?? 0) + 1
        if let event {
            self[number].usedEvents.insert(event)
            self[number].waits[index].event = event
        }
        self[number].waits[index].answer = WaitAnswer(
            wait: wait.id, address: wait.address, at: at, payload: payload, isResult: isResult)
        // A paused run is left; it takes what came when it goes on.
        if run.record.status == .paused { return false }
        if let wakeAt = run.wakeAt, wakeAt <= at { return false }
        setWake(number, at)
        return true
    }
}

extension Wait.Kind {
    func isAnswered(by event: EventRecord, _ data: JSON, now: Timestamp) -> Bool {
        if case .event(let type, let match) = self {
            type == event.type && match.matches(data, now: now)
        } else {
            false
        }
    }
}
