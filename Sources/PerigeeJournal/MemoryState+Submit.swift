extension MemoryState {
    /// Accepts what a caller hands in; one without an event fails where it starts a run whose key is taken.
    mutating func accept(
        _ submission: Submission, now: Timestamp, _ claimant: Claimant? = nil
    ) throws(JournalError) -> SubmissionReceipt {
        let mayFail =
            submission.event == nil
            && submission.starts.contains { $0.onConflict == .reject && $0.key != nil }
        let before = mayFail ? self : nil
        var (receipt, wakes) = try submit(submission, now: now, claimant)
        if !receipt.isDuplicate {
            receipt.wakesRuns = wakes || submission.starts.contains { $0.startAt != nil }
        }
        if let before, !receipt.isDuplicate, let taken = receipt.refused.first {
            self = before
            throw .keyTaken(taken)
        }
        return receipt
    }

    /// Accepts one submission; `wakes` tells whether a run can be claimed now that could not before.
    mutating func submit(
        _ submission: Submission, now: Timestamp, _ claimant: Claimant? = nil
    ) throws(JournalError) -> (receipt: SubmissionReceipt, wakes: Bool) {
        if let fault = submission.fault { throw fault }
        if let earlier = try earlierReceipt(of: submission) { return (earlier, false) }
        if let refusal = refusal(ofIDs: submission) { throw refusal }
        var wakes = false
        if let event = submission.event { wakes = record(event, now: now) }
        var receipt = SubmissionReceipt(eventID: submission.event?.id, runs: [], isDuplicate: false)
        for start in submission.starts
        where begin(start, of: submission, now: now, claimant, &receipt) { wakes = true }
        if submission.event != nil {
            events[events.count - 1].runs = receipt.runs
            events[events.count - 1].refused = receipt.refused
        }
        if let key = submission.idempotencyKey {
            var kept = receipt
            kept.cancelled = []
            kept.claimed = []
            if submission.event == nil { kept.refused = [] }
            requests[Name(namespace: submission.namespace, first: key)] = (submission.requestDigest, kept)
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
        return SubmissionReceipt(
            eventID: first.record.id, runs: first.runs, isDuplicate: true, refused: first.refused)
    }

    private func refusal(ofIDs submission: Submission) -> JournalError? {
        if let event = submission.event, eventIDs.contains(event.id) {
            return .invalid("the event id \(event.id) is taken")
        }
        var ids: Set<String> = []
        var keys: Set<Name> = []
        for start in submission.starts {
            if start.onConflict.takesOneRun, let key = start.keyName(in: submission.namespace) {
                if runKeys[key]?.isEmpty == false || !keys.insert(key).inserted { continue }
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
        events.append(Event(record: event, data: data))
        eventIDs.insert(event.id)
        eventSources[event.sourceName] = position
        var wakes = false
        for number in Set(waitRuns.values) where self[number].record.namespace == event.namespace {
            let index = self[number].waits.firstIndex {
                $0.answer == nil && $0.wait.kind.isAnswered(by: event, data, now: now)
            }
            guard let index else { continue }
            if answer(number, index, payload: event.envelope, at: now, event: position) { wakes = true }
        }
        return wakes
    }

    /// Creates a run, or does what its key asks for instead; the receipt tells what.
    ///
    /// - Returns: whether a run can be claimed now that could not before.
    private mutating func begin(
        _ start: NewRun, of submission: Submission, now: Timestamp, _ claimant: Claimant?,
        _ receipt: inout SubmissionReceipt
    ) -> Bool {
        let keyName = start.keyName(in: submission.namespace)
        var wakes = false
        if let keyName, let newest = runKeys[keyName]?.max() {
            let earlier = self[newest].record.id
            switch start.onConflict {
            case .useExisting:
                receipt.runs.append(earlier)
                return false
            case .reject:
                receipt.refused.append(
                    KeyTaken(workflow: start.workflow, key: keyName.second, run: earlier))
                return false
            case .cancelExisting(let error):
                receipt.cancelled += openRuns(keyName).compactMap { cancel($0, error, now: now) }
                wakes = !receipt.cancelled.isEmpty
            case .queue: break
            }
        }
        let turn = start.firstTurn(keyIsTaken: keyName.map { !openRuns($0).isEmpty } ?? false, now: now)
        let number = Int64(runs.count) + 1
        var record = start.record(of: submission, now: now)
        record.number = number
        runs.append(
            Run(
                record: record, concurrencyKey: start.concurrencyKey, turn: turn, eventsAfter: events.count,
                timeoutMilliseconds: start.timeoutMilliseconds))
        runNumbers[start.id] = number
        self[number].entries = start.entries
        if let note = start.startedBy {
            self.record(start.audit(note, namespace: submission.namespace, now: now))
        }
        receipt.runs.append(start.id)
        if let keyName { runKeys[keyName, default: []].append(number) }
        if let line = lineName(number) { lines[line, default: []].append(number) }
        if let parent = start.parent.flatMap({ runNumbers[$0.run] }) {
            children[parent, default: []].append(number)
        }
        let startAt = max(now, start.startAt ?? now)
        switch turn {
        case nil where start.status == .queued, .waitsForTime?:
            setWake(number, startAt)
            if turn == nil, startAt <= now, let claimant, receipt.claimed.count < claimant.limit,
                isClosed(number)
            {
                receipt.claimed.append(take(number, host: claimant.host, now: now))
                return wakes
            }
            return wakes || startAt <= now
        case .waitsForSlot?: return admit(lineName(number), now: now) || wakes
        default: return wakes
        }
    }

    private mutating func cancel(_ number: Int64, _ error: Payload, now: Timestamp) -> RunRecord? {
        // Asked once more, it would end without unwinding.
        guard self[number].record.cancelRequest == nil else { return nil }
        return cancel(run: self[number].record.id, error: error, isForced: false, now: now)?.run
    }
}

extension NewRun {
    /// The run as it is created; the store gives it its number.
    package func record(of submission: Submission, now: Timestamp) -> RunRecord {
        RunRecord(
            id: id, number: 0, namespace: submission.namespace, workflow: workflow, version: version,
            bundle: bundle, status: status, key: key, input: input, error: error, trigger: trigger,
            eventID: submission.event?.id, correlationID: correlationID, parent: parent, createdAt: now,
            entryCount: entries.last?.sequence ?? 0)
    }

    /// The run as its first claim leaves it.
    package func claimed(by host: String, of submission: Submission, now: Timestamp) -> RunRecord {
        var run = record(of: submission, now: now)
        run.status = .running
        run.owner = host
        run.epoch = 1
        run.startedAt = now
        run.deadlineAt = timeoutMilliseconds.map { now.adding(milliseconds: $0) }
        return run
    }

    /// The audit record of a start by hand, or of a fork: that is of the run that was forked.
    package func audit(_ note: ActionNote, namespace: String, now: Timestamp) -> AuditRecord {
        var after: [String: JSON] = [
            "status": .string(status.rawValue), "version": .int(Int64(version)),
        ]
        if forkOf != nil { after["run"] = .string(id) }
        return AuditRecord(
            number: 0, at: now, namespace: namespace, by: note.by, action: note.action, run: forkOf ?? id,
            reason: note.reason, after: JSON.object(after).bytes)
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
