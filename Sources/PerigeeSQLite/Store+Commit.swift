import GRDB
import PerigeeJournal

/// What a commit has to know of its run.
struct RunHead {
    var number: Int64
    var namespace: String
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
        try record(commit, entryCount: commit.entries.last?.sequence ?? run.entryCount)
        for id in commit.closes { try close(id, of: commit.run) }
        for wait in commit.opens { try open(wait, of: run, now: commit.at) }
        var wakes = false
        var cancelled: [RunRecord] = []
        for emit in commit.emits {
            let (receipt, wakesOthers) = try submit(emit, now: commit.at)
            wakes = wakes || wakesOthers
            cancelled += receipt.cancelled
            for taken in receipt.refused { try append(taken.annotation(at: commit.at), to: commit.run) }
        }
        // What the run emitted may have cancelled the run itself.
        let mayDiffer = !cancelled.isEmpty
        let head = mayDiffer ? try self.head(commit.run) ?? run : run
        let wakesAfter = try follow(head, commit)
        return CommitReceipt(wakesRuns: wakes || wakesAfter, cancelled: cancelled)
    }

    private func head(_ number: Int64) throws -> RunHead? {
        try first(
            """
            SELECT number, namespace, epoch, owner IS NOT NULL, entry_count, events_after,
                COALESCE(key, concurrency_key) IS NOT NULL, cancel_error, is_ending,
                paused_at IS NOT NULL FROM runs WHERE number = ?
            """, [number]
        ) { row in
            RunHead(
                number: try row.next(), namespace: try row.next(), epoch: try row.next(),
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
                entryCount, commit.tags?.blob, commit.statusText, commit.move?.version, commit.move?.bundle,
                commit.run,
            ])
    }

    /// Does what comes after the commit.
    ///
    /// - Returns: whether the run, or one that waited for its end, can be claimed now.
    private func follow(_ run: RunHead, _ commit: Commit) throws -> Bool {
        switch commit.next {
        case .running:
            guard commit.watches else { return false }
            let wakeAt = try wakeTime(of: run.number, now: commit.at)
            try self.run("UPDATE runs SET wake_at = ? WHERE number = ?", [wakeAt?.milliseconds, run.number])
            return wakeAt.map { $0 <= commit.at } ?? false
        case .waiting where run.isPaused, .paused where run.isPaused:
            try letGo(run.number, .paused, wakeAt: nil, error: nil)
            return false
        case .paused:
            try letGo(run.number, .queued, wakeAt: commit.at, error: nil)
            return true
        case .waiting:
            let wakeAt = try wakeTime(of: run.number, now: commit.at)
            try letGo(run.number, .waiting, wakeAt: wakeAt, error: nil)
            return wakeAt.map { $0 <= commit.at } ?? false
        case .ended(let status, let output, let error):
            return try end(
                run.number, status, output: output, error: error, at: commit.at, isInLines: run.isInLines)
        case .attention(let error):
            // A request to cancel that the host did not see takes effect now.
            if let request = run.cancelError, !run.isEnding, !commit.asksToEnd {
                return try end(
                    run.number, .cancelled, output: nil, error: request, at: commit.at,
                    isInLines: run.isInLines)
            }
            try dropWaits(run.number)
            try letGo(run.number, .attention, wakeAt: nil, error: error)
            try self.run("UPDATE runs SET paused_at = NULL WHERE number = ?", [run.number])
            return false
        }
    }

    private func letGo(_ number: Int64, _ status: RunStatus, wakeAt: Timestamp?, error: Payload?) throws {
        try run(
            """
            UPDATE runs SET owner = NULL, status = ?, wake_at = ?, error = COALESCE(?, error)
            WHERE number = ?
            """, [status.rawValue, wakeAt?.milliseconds, error?.blob, number])
    }
}
