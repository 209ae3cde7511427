/// What any store refuses before it looks at what it holds, so that all stores refuse the same.

extension Submission {
    /// Why this can't be accepted whatever the store holds; `nil` if it can.
    package var fault: JournalError? {
        if let event, event.namespace != namespace {
            return .invalid("the event is of namespace \"\(event.namespace)\", not \"\(namespace)\"")
        }
        for start in starts
        where zip(start.entries, start.entries.dropFirst()).contains(where: { $0.sequence >= $1.sequence }) {
            return .invalid("the entries of the run \(start.id) are not in their order")
        }
        for start in starts where start.status != .queued && start.status != .attention {
            return .invalid("a new run is queued or needs attention, it is not \(start.status)")
        }
        return nil
    }
}

extension Commit {
    /// Why this can't be recorded in a run that has `entryCount` entries and `openWaits` waits left open once
    /// the commit's `closes` are gone; `nil` if it can.
    package func fault(entryCount: Int, openWaits: Int) -> JournalError? {
        for (offset, entry) in entries.enumerated() where entry.sequence != entryCount + 1 + offset {
            return .wrongSequence(run: run, expected: entryCount + 1 + offset, got: entry.sequence)
        }
        switch next {
        case .ended(let status, _, _) where !status.isFinal:
            return .invalid("a run can't end as \(status)")
        case .ended(let status, _, _) where (status == .continued) != (continuation != nil):
            return .invalid(
                "a run that ends as \(status) \(continuation == nil ? "needs" : "has no") continuation")
        case .waiting where openWaits + opens.count == 0:
            return .invalid("a run that waits needs something to wait for")
        case .running, .waiting, .attention:
            return continuation == nil ? nil : .invalid("a run that does not end has no continuation")
        default: return nil
        }
    }
}

extension NewRun {
    /// Why this can't go on for a run; `nil` if it can.
    package func fault(continuing old: RunRecord) -> JournalError? {
        workflow == old.workflow
            ? nil : .invalid("a run of \"\(old.workflow)\" can't go on as one of \"\(workflow)\"")
    }
}

extension Commit {
    /// Whether a request to end is among its entries.
    package var asksToEnd: Bool {
        entries.contains { if case .endRequested = $0.fact { true } else { false } }
    }
}

extension Fact {
    /// Whether it belongs to a branch or to one inside it.
    package func isInside(_ path: String) -> Bool {
        switch self {
        case .stepCompleted(let step, _, _, _), .waitOpened(let step, _, _), .attemptBegun(let step):
            step.address.path == path || step.address.path.hasPrefix(path + "/")
        case .versionMoved, .endRequested, .reset: false
        }
    }
}

/// Throws unless a page's size is within its bounds.
package func checkLimit(_ limit: Int, _ bounds: ClosedRange<Int>) throws(JournalError) {
    guard bounds.contains(limit) else {
        throw .invalid("the limit is \(limit), and must be from \(bounds.lowerBound) to \(bounds.upperBound)")
    }
}
