import GRDB
import PerigeeJournal

extension Store {
    /// Does what the end of a run means to others: locks, those who wait for it, and its children.
    func settleEnd(_ number: Int64, at: Timestamp) throws -> EndEffects {
        var effects = EndEffects()
        guard let concerns = try concerns(of: number) else { return effects }
        if concerns.ownWaits { effects.wakesRuns = try dropWaits(number, now: at) }
        if concerns.locks, try release(number, at: at) { effects.wakesRuns = true }
        if concerns.breaker, try tellBreaker(number, concerns.status, at: at) { effects.wakesRuns = true }
        guard concerns.waits || concerns.children, let end = try end(of: number) else { return effects }
        if concerns.waits, end.status != .continued {
            for wait in try waitsForEnd(of: end.run) {
                effects.wakesRuns = try answer(wait, payload: end.payload, at: at) || effects.wakesRuns
            }
        }
        if concerns.children { try closeChildren(of: number, end, at: at, &effects) }
        return effects
    }

    /// What the end of a run touches, for most runs nothing, found with one query.
    private func concerns(of number: Int64) throws -> (
        ownWaits: Bool, locks: Bool, waits: Bool, children: Bool, breaker: Bool, status: RunStatus
    )? {
        try first(
            """
            SELECT EXISTS (SELECT 1 FROM waits WHERE run = r.number),
                EXISTS (SELECT 1 FROM locks WHERE run = r.number),
                EXISTS (SELECT 1 FROM waits WHERE kind = 5 AND target = r.id AND answered_at IS NULL),
                EXISTS (SELECT 1 FROM runs WHERE parent = r.number AND ended_at IS NULL),
                EXISTS (SELECT 1 FROM breakers WHERE namespace = r.namespace AND workflow = r.workflow), r.status
            FROM runs r WHERE r.number = ?
            """, [number]
        ) { row in
            (
                ownWaits: try row.next(), locks: try row.next(), waits: try row.next(),
                children: try row.next(), breaker: try row.next(), status: try row.choice()
            )
        }
    }

    private func closeChildren(
        of number: Int64, _ end: ChildEnd, at: Timestamp, _ effects: inout EndEffects
    ) throws {
        let children = try all(
            """
            SELECT r.number, r.started_at IS NOT NULL AND r.status <> 'attention', i.parent_policy FROM runs r
            JOIN run_inputs i ON i.run = r.number
            WHERE r.parent = ? AND r.ended_at IS NULL AND i.parent_policy <> 'abandon' ORDER BY r.number
            """, [number]
        ) { (number: try $0.next() as Int64, unwinds: try $0.next() as Bool, policy: try $0.policy()) }
        for child in children {
            let error = ChildEnd.parentEnded(end.run, end.status)
            if child.policy == .cancel, child.unwinds {
                effects.wakesRuns = true
                try askToEnd(child.number, error: error, now: at)
            } else {
                effects.closesChildren = true
                let status: RunStatus = child.policy == .cancel ? .cancelled : .terminated
                effects.formUnion(
                    try self.end(child.number, status, output: nil, error: error, at: at))
            }
        }
    }

    private func end(of number: Int64) throws -> ChildEnd? {
        try first("SELECT id, status, output, error FROM runs WHERE number = ?", [number]) { row in
            ChildEnd(
                run: try row.next(), status: try row.choice(), output: try row.optionalPayload(),
                error: try row.optionalPayload())
        }
    }

    private func waitsForEnd(of run: String) throws -> [OpenWait] {
        try all(
            "SELECT number, run FROM waits WHERE kind = 5 AND target = ? AND answered_at IS NULL ORDER BY number",
            [run]
        ) { OpenWait(number: try $0.next(), run: try $0.next()) }
    }

    // MARK: Starting and continuing

    func begin(_ commit: Commit, namespace: String) throws -> BegunRuns {
        var begun = BegunRuns()
        for start in commit.starts {
            begun.take(start, try submit(Submission(namespace: namespace, starts: [start]), now: commit.at))
        }
        return begun
    }

    func open(_ wait: Wait, _ begun: BegunRuns, of run: RunHead, now: Timestamp) throws -> Bool {
        var wait = wait
        let refusal = wait.resolve(by: begun)
        let (number, opensGate) = try open(wait, of: run, now: now)
        if let refusal {
            _ = try answer(OpenWait(number: number, run: run.number), payload: refusal, at: now)
        }
        return opensGate
    }

    /// Begins the run that goes on for one that is about to end.
    func goOn(_ number: Int64, as continuation: NewRun, at: Timestamp) throws -> Bool {
        guard let old = try plainRun(number) else { return false }
        if let fault = continuation.fault(continuing: old) { throw fault }
        var next = continuation
        next.key = old.key
        next.onConflict = .queue
        next.startAt = nil
        next.parent = old.parent
        let begun = try submit(Submission(namespace: old.namespace, starts: [next]), now: at)
        guard let new = try self.number(ofRun: next.id) else { return begun.wakes }
        try run("UPDATE runs SET continued_as = ? WHERE number = ?", [next.id, number])
        try run("UPDATE run_inputs SET continued_from = ? WHERE run = ?", [old.id, new])
        try run(
            """
            UPDATE runs SET begun_after = events_after,
                events_after = (SELECT events_after FROM runs WHERE number = ?) WHERE number = ?
            """, [number, new])
        if let pausedAt = old.pausedAt {
            try run(
                "UPDATE runs SET status = 'paused', paused_at = ?, wake_at = NULL WHERE number = ?",
                [pausedAt.milliseconds, new])
        }
        try run(
            "INSERT INTO schedule_runs SELECT namespace, schedule, ? FROM schedule_runs WHERE run = ?",
            [new, number])
        try run("UPDATE used_events SET run = ? WHERE run = ?", [new, number])
        try run(
            "UPDATE waits SET target = ? WHERE kind = 5 AND target = ? AND answered_at IS NULL",
            [next.id, old.id])
        return try takePlace(new, of: number, now: at) || begun.wakes && old.pausedAt == nil
    }

    /// A wait for the end of a run: one that has ended already answers at once, as the last of those that went on
    /// for it; so does the waiting run itself, which could not end before.
    func openForEnd(_ wait: OpenWait, of run: String, at: Timestamp) throws {
        var target = run
        while let next = try continuation(of: target) { target = next }
        if target != run {
            try self.run("UPDATE waits SET target = ? WHERE number = ?", [target, wait.number])
        }
        guard let number = try self.number(ofRun: target), let end = try end(of: number),
            end.status.isFinal || number == wait.run
        else { return }
        _ = try answer(wait, payload: end.payload, at: at)
    }

    private func continuation(of run: String) throws -> String? {
        try first("SELECT continued_as FROM runs WHERE id = ?", [run]) { try $0.next() as String? } ?? nil
    }

    func relations(run id: String) throws -> RunRelations? {
        guard let number = try self.number(ofRun: id) else { return nil }
        let children = try all(
            """
            SELECT r.id, r.number, r.workflow, r.status, i.parent_path, i.parent_label, i.parent_occurrence
            FROM runs r JOIN run_inputs i ON i.run = r.number WHERE r.parent = ? ORDER BY r.number LIMIT ?
            """, [number, RunRelations.maxChildren]
        ) { row in
            ChildRun(
                id: try row.next(), number: try row.next(), workflow: try row.next(),
                status: try row.choice(), step: try row.address())
        }
        let count = try first("SELECT COUNT(*) FROM runs WHERE parent = ?", [number]) { try $0.next() as Int }
        return RunRelations(
            children: children, childCount: count ?? 0, heldLocks: try heldLocks(number),
            awaitedLocks: try awaitedLocks(number), awaitedGates: try awaitedGates(number))
    }
}

extension Columns {
    fileprivate mutating func policy() throws -> ParentEndPolicy { try choice() }

    /// The run's parent, of the columns `parent_id` to `depth`.
    mutating func parent() throws -> RunParent? {
        let id: String? = try next()
        guard let id else {
            skip(5)
            return nil
        }
        return RunParent(run: id, step: try address(), onEnd: try choice(), depth: try next())
    }
}
