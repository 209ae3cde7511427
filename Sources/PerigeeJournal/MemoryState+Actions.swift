extension MemoryState {
    mutating func act(on id: String, _ action: RunAction, note: ActionNote, now: Timestamp) -> ActionResult? {
        guard let number = runNumbers[id] else { return nil }
        if let batch = note.batch, !isPending(batch, run: id) { return .repeated(shown(number)) }
        let before = self[number].record
        guard perform(action, on: number, now: now) else { return .refused(shown(number)) }
        self[number].annotations.append(note.annotation(action.step, at: now))
        record(
            AuditRecord(
                number: 0, at: now, namespace: before.namespace, by: note.by, action: note.action, run: id,
                batch: note.batch, step: action.step?.label, reason: note.reason, before: before.summary,
                after: self[number].record.summary))
        if let batch = note.batch { finishItem(batch, run: id, .done, error: nil, now: now) }
        return .done(shown(number))
    }

    mutating func record(_ audit: AuditRecord) {
        var audit = audit
        audit.number = Int64(audits.count) + 1
        audits.append(audit)
    }

    func audit(_ query: AuditQuery) -> AuditPage {
        let found = audits.reversed().filter { record in
            record.namespace == query.namespace && (query.run == nil || query.run == record.run)
                && query.cursor.map { record.number < $0 } ?? true
        }
        let page = Array(found.prefix(query.limit))
        return AuditPage(records: page, nextCursor: found.count > query.limit ? page.last?.number : nil)
    }

    /// - Returns: whether the run's state permitted it.
    private mutating func perform(_ action: RunAction, on number: Int64, now: Timestamp) -> Bool {
        switch action {
        case .cancel(let error, let isForced):
            let id = self[number].record.id
            if case .alreadyEnded = cancel(run: id, error: error, isForced: isForced, now: now) {
                return false
            }
            return true
        case .pause: return pause(number, now: now)
        case .resume: return resume(number, now: now)
        case .retry(let reopening): return reopen(number, reopening, now: now)
        case .setResult(let address, let value): return setResult(number, address, value, now: now)
        case .retryNow(let address): return retryNow(number, address, now: now)
        }
    }

    private mutating func pause(_ number: Int64, now: Timestamp) -> Bool {
        let run = self[number]
        guard run.record.pausedAt == nil, run.record.cancelRequest == nil, !run.isEnding else { return false }
        switch run.record.status {
        // Its time comes all the same, and then it stands in its lines.
        case .queued where run.turn == .waitsForTime: self[number].record.status = .paused
        case .queued, .waiting: letGo(number, .paused)
        case .running: setWake(number, run.wakeAt.map { min($0, now) } ?? now)
        default: return false
        }
        self[number].record.pausedAt = now
        return true
    }

    private mutating func retryNow(_ number: Int64, _ address: StepAddress, now: Timestamp) -> Bool {
        let run = self[number]
        let index = run.waits.firstIndex { open in
            open.answer == nil && open.wait.kind == .retry && open.wait.address == address
        }
        guard let index, [.waiting, .running].contains(run.record.status) else { return false }
        _ = answer(number, index, payload: nil, at: now)
        return true
    }

    private mutating func resume(_ number: Int64, now: Timestamp) -> Bool {
        guard let pausedAt = self[number].record.pausedAt else { return false }
        let paused = now.milliseconds - pausedAt.milliseconds
        self[number].record.pausedAt = nil
        self[number].record.deadlineAt = self[number].record.deadlineAt?.adding(milliseconds: paused)
        guard self[number].record.status == .paused else { return true }
        free(number, now: now)
        return true
    }

    private mutating func reopen(_ number: Int64, _ reopening: Reopening, now: Timestamp) -> Bool {
        let run = self[number]
        guard run.record.status.canBeRetried, run.record.entryCount == reopening.entryCount else {
            return false
        }
        let held = Set(locks.filter { $0.run == number }.map(\.key))
        guard held.isSuperset(of: reopening.locks) else { return false }
        // Another run that has its key goes on already.
        if run.record.status.isFinal, let key = keyName(number), !openRuns(key).isEmpty { return false }
        let facts = reopening.facts(from: run.record.version)
        for (offset, fact) in facts.enumerated() {
            self[number].entries.append(
                Entry(sequence: run.record.entryCount + 1 + offset, recordedAt: now, fact: fact))
        }
        self[number].record.entryCount += facts.count
        if let move = reopening.move {
            self[number].record.version = move.version
            self[number].record.bundle = move.bundle
        }
        if let result = reopening.result { give(number, result.address, result.value, now: now) }
        for wait in reopening.awaits { _ = open(number, wait, now: now) }
        self[number].record.output = nil
        self[number].record.error = nil
        self[number].record.endedAt = nil
        self[number].record.cancelRequest = nil
        self[number].isEnding = false
        if run.record.startedAt != nil {
            self[number].record.deadlineAt = run.timeoutMilliseconds.map { now.adding(milliseconds: $0) }
        }
        let line = run.turn == nil ? lineName(number) : nil
        if let line {
            self[number].turn = .waitsForSlot
            let before = lines[line, default: []].filter { $0 < number }
            lines[line] = before + [number] + lines[line, default: []].filter { $0 > number }
        }
        free(number, now: now)
        _ = admit(line, now: now)
        return true
    }

    private mutating func setResult(
        _ number: Int64, _ address: StepAddress, _ value: Payload, now: Timestamp
    ) -> Bool {
        let run = self[number]
        let index = run.waits.firstIndex { $0.answer == nil && $0.wait.address == address }
        switch run.record.status {
        case .running, .waiting, .paused, .queued: break
        default: return false
        }
        guard let index else {
            guard run.record.status == .running else { return false }
            give(number, address, value, now: now)
            return true
        }
        _ = answer(number, index, payload: value, at: now, isResult: true)
        let wait = run.waits[index].wait.id
        if approvals[wait]?.status == .waiting { approvals[wait]?.status = .cancelled }
        return true
    }

    /// Keeps the outcome of a step that is no wait, as the answer of one.
    private mutating func give(_ number: Int64, _ address: StepAddress, _ value: Payload, now: Timestamp) {
        let id = Wait.resultID(run: self[number].record.id, number: Int64(audits.count) + 1)
        self[number].waits.append(
            OpenWait(wait: Wait(id: id, address: address, kind: .timer, openedAt: now, dueAt: nil)))
        waitRuns[id] = number
        _ = answer(number, self[number].waits.count - 1, payload: value, at: now, isResult: true)
    }
}

extension Reopening {
    /// What is recorded of it.
    package func facts(from version: Int) -> [Fact] {
        var facts: [Fact] = reset.isEmpty ? [] : [.reset(reset)]
        if let move { facts.append(.versionMoved(from: version, to: move.version, bundle: move.bundle)) }
        return facts
    }
}

extension Wait {
    /// The id under which a step's outcome is kept that a person gave, by the number of its audit record.
    package static func resultID(run: String, number: Int64) -> String { "\(run)/result/\(number)" }
}
