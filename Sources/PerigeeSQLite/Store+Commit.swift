import GRDB
import PerigeeJournal

/// What a commit has to know of its run.
struct RunHead {
    var number: Int64
    var namespace: String
    var workflow: String
    var epoch: Int64
    var isOwned: Bool
    var entryCount: Int
    var eventsAfter: Int64
    /// Whether others may wait for its end.
    var isInLines: Bool
    var cancelError: Payload?
    var isEnding: Bool
    var isPaused: Bool
}

extension Store {
    func commit(_ commit: Commit) throws -> CommitReceipt {
        guard let run = try head(commit.run), run.isOwned, run.epoch == commit.epoch else {
            throw JournalError.fenced(run: commit.run)
        }
        if let fault = commit.fault(entryCount: run.entryCount, openWaits: try openWaitCount(commit)) {
            throw fault
        }
        for entry in commit.entries { try append(entry, to: commit.run) }
        for path in commit.prunes { try prune(path, of: commit.run) }
        if commit.asksToEnd { try self.run("UPDATE runs SET is_ending = 1 WHERE number = ?", [commit.run]) }
        for annotation in commit.annotations { try append(annotation, to: commit.run) }
        let entryCount = commit.entries.last?.sequence ?? run.entryCount
        if !commit.isPlainEnd { try record(commit, entryCount: entryCount) }
        var wakes = false
        for id in commit.closes
        where try close(id, of: commit.run, hasFailed: commit.failures[id], now: commit.at) { wakes = true }
        wakes = try release(run.number, by: commit.releases, at: commit.at) || wakes
        try write(commit.writes, of: run, at: commit.at)
        var begun = try begin(commit, namespace: run.namespace)
        for wait in commit.opens where try open(wait, begun, of: run, now: commit.at) { wakes = true }
        for emit in commit.emits {
            let (receipt, wakesOthers) = try submit(emit, now: commit.at)
            wakes = wakes || wakesOthers
            begun.cancelled += receipt.cancelled
            for taken in receipt.refused { try append(taken.annotation(at: commit.at), to: commit.run) }
        }
        // What the run emitted or started may have cancelled the run itself.
        let head = begun.cancelled.isEmpty ? run : try self.head(commit.run) ?? run
        let effects = try follow(head, commit)
        return CommitReceipt(
            wakesRuns: wakes || begun.wakes || effects.wakesRuns, cancelled: begun.cancelled,
            closesChildren: effects.closesChildren)
    }

    func head(_ number: Int64) throws -> RunHead? {
        try first(
            """
            SELECT number, namespace, workflow, epoch, owner IS NOT NULL, entry_count, events_after,
                COALESCE(key, concurrency_key) IS NOT NULL, cancel_error, is_ending,
                paused_at IS NOT NULL FROM runs WHERE number = ?
            """, [number]
        ) { row in
            RunHead(
                number: try row.next(), namespace: try row.next(), workflow: try row.next(),
                epoch: try row.next(),
                isOwned: try row.next(), entryCount: try row.next(), eventsAfter: try row.next(),
                isInLines: try row.next(), cancelError: try row.optionalPayload(), isEnding: try row.next(),
                isPaused: try row.next())
        }
    }

    /// How many of the run's waits the commit leaves open; only looked at where it decides something.
    private func openWaitCount(_ commit: Commit) throws -> Int {
        guard commit.next == .waiting, commit.opens.isEmpty else { return 0 }
        return try waitIDs(of: commit.run).count { !commit.closes.contains($0) }
    }

    private func record(_ commit: Commit, entryCount: Int) throws {
        let isShown = commit.tags != nil || commit.statusText != nil || commit.move != nil
        guard isShown || !commit.entries.isEmpty else { return }
        try run(
            """
            UPDATE runs SET entry_count = ?, tags = COALESCE(?, tags), status_text = COALESCE(?, status_text),
                version = COALESCE(?, version), bundle = COALESCE(?, bundle) WHERE number = ?
            """,
            [
                entryCount, commit.tags, commit.statusText, commit.move?.version, commit.move?.bundle,
                commit.run,
            ])
    }

    /// Does what comes after the commit.
    private func follow(_ run: RunHead, _ commit: Commit) throws -> EndEffects {
        var effects = EndEffects()
        switch commit.next {
        case .running:
            guard commit.watches else { return effects }
            let wakeAt = try wakeTime(of: run.number, now: commit.at)
            try self.run("UPDATE runs SET wake_at = ? WHERE number = ?", [wakeAt?.milliseconds, run.number])
            effects.wakesRuns = wakeAt.map { $0 <= commit.at } ?? false
        case .waiting where run.isPaused, .paused where run.isPaused:
            try letGo(run.number, .paused, wakeAt: nil, error: nil)
        case .paused:
            try letGo(run.number, .queued, wakeAt: commit.at, error: nil)
            effects.wakesRuns = true
        case .waiting:
            let wakeAt = try wakeTime(of: run.number, now: commit.at)
            try letGo(run.number, .waiting, wakeAt: wakeAt, error: nil)
            effects.wakesRuns = wakeAt.map { $0 <= commit.at } ?? false
        case .ended(let status, let output, let error):
            // Who waits for the run goes over to its continuation before its end could answer them.
            if let next = commit.continuation {
                effects.wakesRuns = try goOn(run.number, as: next, at: commit.at)
            }
            effects.formUnion(
                try end(
                    run.number, status, output: output, error: error, at: commit.at, isInLines: run.isInLines,
                    with: commit.isPlainEnd ? commit : nil))
        case .attention(let error):
            // A request to cancel that the host did not see takes effect now.
            if let request = run.cancelError, !run.isEnding, !commit.asksToEnd {
                return try end(
                    run.number, .cancelled, output: nil, error: request, at: commit.at,
                    isInLines: run.isInLines)
            }
            let waits = try waitIDs(of: run.number)
            let opensGate = try dropWaits(run.number, now: commit.at)
            try letGo(run.number, .attention, wakeAt: nil, error: error)
            try self.run("UPDATE runs SET paused_at = NULL WHERE number = ?", [run.number])
            // What was granted and not taken over is given back.
            let isReleased = try release(run.number, by: waits, at: commit.at)
            let tellsBreaker = try tellBreaker(run.number, .attention, at: commit.at)
            effects.wakesRuns = isReleased || opensGate || tellsBreaker
        }
        return effects
    }

    private func letGo(_ number: Int64, _ status: RunStatus, wakeAt: Timestamp?, error: Payload?) throws {
        try run(
            """
            UPDATE runs SET owner = NULL, status = ?, wake_at = ?, error = COALESCE(?, error)
            WHERE number = ?
            """, [status.rawValue, wakeAt?.milliseconds, error, number])
    }
}

extension Commit {
    /// Whether it ends the run and begins nothing that could look at the run's row before: one statement does for it.
    fileprivate var isPlainEnd: Bool {
        guard case .ended = next else { return false }
        return opens.isEmpty && starts.isEmpty && emits.isEmpty && continuation == nil
    }
}
