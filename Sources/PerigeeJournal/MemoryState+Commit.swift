extension MemoryState {
    mutating func commit(_ commit: Commit) -> Result<CommitReceipt, JournalError> {
        if let refusal = refusal(of: commit) { return .failure(refusal) }
        // Only an emitted event or a new run can still be refused, and then nothing of the commit may stay.
        let isSure = commit.emits.isEmpty && commit.starts.isEmpty && commit.continuation == nil
        let before = isSure ? nil : self
        do throws(JournalError) {
            return .success(try apply(commit))
        } catch {
            if let before { self = before }
            return .failure(error)
        }
    }

    private func refusal(of commit: Commit) -> JournalError? {
        guard commit.run >= 1, commit.run <= runs.count else { return .fenced(run: commit.run) }
        let run = self[commit.run]
        guard run.record.owner != nil, run.record.epoch == commit.epoch else {
            return .fenced(run: commit.run)
        }
        let kept = run.waits.filter { !commit.closes.contains($0.wait.id) }
        if let fault = commit.fault(entryCount: run.record.entryCount, openWaits: kept.count) { return fault }
        var opened: Set<String> = []
        for wait in commit.opens {
            let closedFirst =
                waitRuns[wait.id] == commit.run && commit.closes.contains(wait.id)
            let isTaken = waitRuns[wait.id] != nil && !closedFirst || wait.isTakenApproval(in: approvals)
            guard !isTaken, opened.insert(wait.id).inserted else {
                return .invalid("the wait id \(wait.id) is taken")
            }
        }
        return nil
    }

    private mutating func apply(_ commit: Commit) throws(JournalError) -> CommitReceipt {
        let number = commit.run
        self[number].entries += commit.entries
        self[number].record.record(commit)
        for path in commit.prunes { self[number].entries.removeAll { $0.fact.isInside(path) } }
        if commit.asksToEnd { self[number].isEnding = true }
        annotate(number, commit.annotations)
        var wakes = false
        for id in commit.closes
        where close(number, id, hasFailed: commit.failures[id], now: commit.at) { wakes = true }
        for id in commit.releases where release(number, id, at: commit.at) { wakes = true }
        write(number, commit.writes, at: commit.at)
        var begun = try begin(commit, namespace: self[number].record.namespace)
        for wait in commit.opens where open(number, wait, begun, now: commit.at) { wakes = true }
        for emit in commit.emits {
            let (receipt, wakesOthers) = try submit(emit, now: commit.at)
            wakes = wakes || wakesOthers
            begun.cancelled += receipt.cancelled
            annotate(number, receipt.refused.map { $0.annotation(at: commit.at) })
        }
        let effects = try follow(number, commit)
        let isHeard =
            commit.next == .waiting || commit.next == .paused || commit.next == .running && commit.watches
        let wakesItself = isHeard && self[number].wakeAt.map { $0 <= commit.at } ?? false
        return CommitReceipt(
            wakesRuns: wakes || begun.wakes || effects.wakesRuns || wakesItself, cancelled: begun.cancelled,
            closesChildren: effects.closesChildren)
    }

    private mutating func write(_ number: Int64, _ writes: [StateWrite], at: Timestamp) {
        for write in writes {
            let record = self[number].record
            let name = Name(
                namespace: record.namespace, first: write.owner(record.workflow), second: write.key)
            do throws(NoSum) {
                values[name] = try write.applied(to: values[name])
            } catch {
                annotate(number, [write.note(of: error, at: at)])
            }
        }
    }

    mutating func annotate(_ number: Int64, _ annotations: [Annotation]) {
        for annotation in annotations {
            let isKnown =
                annotation.ordinal != nil
                && self[number].annotations.contains { $0.ordinal == annotation.ordinal }
            if !isKnown { self[number].annotations.append(annotation) }
        }
    }

    private mutating func follow(_ number: Int64, _ commit: Commit) throws(JournalError) -> EndEffects {
        var effects = EndEffects()
        switch commit.next {
        case .running:
            if commit.watches { setWake(number, wakeTime(of: number, now: commit.at)) }
        case .ended(let status, let output, let error):
            // Who waits for the run goes over to its continuation before its end could answer them.
            if let next = commit.continuation {
                effects.wakesRuns = try goOn(number, as: next, at: commit.at)
            }
            effects.formUnion(end(number, status, output: output, error: error, at: commit.at))
        case .paused: free(number, now: commit.at)
        case .waiting:
            guard self[number].record.pausedAt == nil else {
                letGo(number, .paused)
                return effects
            }
            letGo(number, .waiting)
            setWake(number, wakeTime(of: number, now: commit.at))
        case .attention(let error):
            // A request to cancel that the host did not see takes effect now.
            if let request = self[number].record.cancelRequest, !self[number].isEnding {
                return end(number, .cancelled, output: nil, error: request, at: commit.at)
            }
            letGo(number, .attention)
            let waits = self[number].waits.map(\.wait.id)
            effects.wakesRuns = dropWaits(number, now: commit.at)
            self[number].record.pausedAt = nil
            // What was granted and not taken over is given back.
            for wait in waits where release(number, wait, at: commit.at) { effects.wakesRuns = true }
            self[number].record.error = error
            if tellBreaker(number, .attention, at: commit.at) { effects.wakesRuns = true }
        }
        return effects
    }
}

extension Wait {
    fileprivate func isTakenApproval(in approvals: [String: ApprovalRecord]) -> Bool {
        if case .approval = kind { approvals[id] != nil } else { false }
    }
}
