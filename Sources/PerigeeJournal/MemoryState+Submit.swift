extension MemoryState {
    /// Accepts one submission; `wakes` tells whether a run can be claimed now that could not before.
    mutating func submit(
        _ submission: Submission, now: Timestamp
    ) throws(JournalError) -> (receipt: SubmissionReceipt, wakes: Bool) {
        if let fault = submission.fault { throw fault }
        if let earlier = try earlierReceipt(of: submission) { return (earlier, false) }
        if let refusal = refusal(ofIDs: submission) { throw refusal }
        var wakes = false
        if let event = submission.event { wakes = record(event, now: now) }
        var runs: [String] = []
        for start in submission.starts {
            let (id, isReady) = begin(start, of: submission, now: now)
            runs.append(id)
            wakes = wakes || isReady
        }
        if submission.event != nil { events[events.count - 1].runs = runs }
        let receipt = SubmissionReceipt(eventID: submission.event?.id, runs: runs, isDuplicate: false)
        if let key = submission.idempotencyKey {
            requests[Name(namespace: submission.namespace, first: key)] = (submission.requestDigest, receipt)
        }
        return (receipt, wakes)
    }

    private func earlierReceipt(of submission: Submission) throws(JournalError) -> SubmissionReceipt? {
        if let key = submission.idempotencyKey,
            let earlier = requests[Name(namespace: submission.namespace, first: key)]
        {
            guard earlier.digest == submission.requestDigest else {
                throw .idempotencyKeyReused(key: key)
            }
            var receipt = earlier.receipt
            receipt.isDuplicate = true
            return receipt
        }
        guard let event = submission.event, let position = eventSources[event.sourceName] else { return nil }
        let first = events[position]
        return SubmissionReceipt(eventID: first.record.id, runs: first.runs, isDuplicate: true)
    }

    private func refusal(ofIDs submission: Submission) -> JournalError? {
        if let event = submission.event, eventIDs.contains(event.id) {
            return .invalid("the event id \(event.id) is taken")
        }
        var ids: Set<String> = []
        var keys: Set<Name> = []
        for start in submission.starts {
            if let key = start.keyName(in: submission.namespace) {
                if runKeys[key] != nil || !keys.insert(key).inserted { continue }
            }
            guard runNumbers[start.id] == nil, ids.insert(start.id).inserted else {
                return .invalid("the run id \(start.id) is taken")
            }
        }
        return nil
    }

    /// Keeps an event and answers with it the oldest wait that it matches of every run.
    private mutating func record(_ event: EventRecord, now: Timestamp) -> Bool {
        let data = (try? JSON(parsing: event.data)) ?? .null
        let position = events.count
        events.append(Event(record: event, data: data, runs: []))
        eventIDs.insert(event.id)
        eventSources[event.sourceName] = position
        var wakes = false
        for number in Set(waitRuns.values) where self[number].record.namespace == event.namespace {
            let index = self[number].waits.firstIndex {
                $0.answer == nil && $0.wait.kind.isAnswered(by: event, data, now: now)
            }
            guard let index else { continue }
            self[number].usedEvents.insert(position)
            if answer(number, index, payload: event.envelope, at: now) { wakes = true }
        }
        return wakes
    }

    private mutating func begin(
        _ start: NewRun, of submission: Submission, now: Timestamp
    ) -> (id: String, isReady: Bool) {
        let keyName = start.keyName(in: submission.namespace)
        if let keyName, let earlier = runKeys[keyName] { return (self[earlier].record.id, false) }
        let number = Int64(runs.count) + 1
        let record = RunRecord(
            id: start.id, number: number, namespace: submission.namespace, workflow: start.workflow,
            version: start.version, bundle: start.bundle, status: start.status, key: start.key,
            input: start.input, error: start.error, trigger: start.trigger, eventID: submission.event?.id,
            correlationID: start.correlationID, parent: start.parent, createdAt: now)
        runs.append(
            Run(record: record, eventsAfter: events.count, timeoutMilliseconds: start.timeoutMilliseconds))
        runNumbers[start.id] = number
        if let keyName { runKeys[keyName] = number }
        if let parent = start.parent.flatMap({ runNumbers[$0.run] }) {
            children[parent, default: []].append(number)
        }
        guard start.status == .queued else { return (start.id, false) }
        let startAt = max(now, start.startAt ?? now)
        setWake(number, startAt)
        return (start.id, startAt <= now)
    }
}

extension EventRecord {
    var sourceName: MemoryState.Name {
        MemoryState.Name(namespace: namespace, first: source, second: sourceID)
    }
}

extension NewRun {
    fileprivate func keyName(in namespace: String) -> MemoryState.Name? {
        key.map { MemoryState.Name(namespace: namespace, first: workflow, second: $0) }
    }
}
