extension MemoryState {
    mutating func commit(_ commit: Commit) -> Result<CommitReceipt, JournalError> {
        if let refusal = refusal(of: commit) { return .failure(refusal) }
        // Only an emitted event can still be refused, and then nothing of the commit may stay.
        let before = commit.emits.isEmpty ? nil : self
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
        if let fault = commit.fault(entryCount: run.entries.count, openWaits: kept.count) { return fault }
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
        self[number].record.entryCount = self[number].entries.count
        annotate(number, commit.annotations)
        if let tags = commit.tags { self[number].record.tags = tags }
        if let text = commit.statusText { self[number].record.statusText = text }
        if let move = commit.move {
            self[number].record.version = move.version
            self[number].record.bundle = move.bundle
        }
        for id in commit.closes { close(number, id) }
        for wait in commit.opens { open(number, wait, now: commit.at) }
        var wakes = false
        for emit in commit.emits where try submit(emit, now: commit.at).wakes { wakes = true }
        follow(number, commit.next, at: commit.at)
        let wakesItself = self[number].wakeAt.map { $0 <= commit.at } ?? false
        return CommitReceipt(wakesRuns: wakes || wakesItself)
    }

    mutating func annotate(_ number: Int64, _ annotations: [Annotation]) {
        for annotation in annotations {
            let isKnown =
                annotation.ordinal != nil
                && self[number].annotations.contains { $0.ordinal == annotation.ordinal }
            if !isKnown { self[number].annotations.append(annotation) }
        }
    }

    private mutating func follow(_ number: Int64, _ next: Commit.Next, at: Timestamp) {
        switch next {
        case .running: return
        case .ended(let status, let output, let error):
            end(number, status, output: output, error: error, at: at)
            return
        case .waiting, .attention: break
        }
        // A request to cancel that the host did not see takes effect when it lets go.
        if let error = self[number].cancelError {
            end(number, .cancelled, output: nil, error: error, at: at)
        } else if case .attention(let error) = next {
            letGo(number, .attention)
            dropWaits(number)
            self[number].record.error = error
        } else {
            letGo(number, .waiting)
            let waits = self[number].waits
            let isAnswered = waits.contains { $0.answer != nil }
            setWake(number, isAnswered ? at : waits.compactMap(\.wait.dueAt).min())
        }
    }
}

extension Wait {
    fileprivate func isTakenApproval(in approvals: [String: ApprovalRecord]) -> Bool {
        if case .approval = kind { approvals[id] != nil } else { false }
    }
}
