import GRDB
import PerigeeJournal

/// Runs that wait for others: for earlier ones with their key, and for a slot of their workflow.
///
/// Who holds a slot is read from the rows of the runs each time; nothing counts along.
extension Store {
    /// Runs of a workflow that share a key: the business key, or the one of `concurrency`.
    struct Line: Hashable {
        var namespace: String
        var workflow: String
        var key: String

        var values: [Value] { [namespace, workflow, key] }
    }

    /// The condition of a run with a business key that has not ended, for the index `runs_by_open_key`.
    private static let isOpen = "namespace = ? AND workflow = ? AND key = ? AND ended_at IS NULL"
    /// The condition of a run in a line, for the index `runs_by_turn`.
    private static let inLine =
        "namespace = ? AND workflow = ? AND concurrency_key = ? AND ended_at IS NULL AND turn = ?"

    /// A run that goes on for another one stands where that stood.
    private static let inOrder = "ORDER BY COALESCE(place, number), number"

    /// The newest run with a key, ended or not.
    func newestRun(_ key: Line) throws -> String? {
        try first(
            "SELECT id FROM runs WHERE namespace = ? AND workflow = ? AND key = ? ORDER BY number DESC LIMIT 1",
            key.values
        ) { try $0.next() }
    }

    /// Runs with a key that have not ended, those that came first first.
    func openRuns(_ key: Line, limit: Int = .max) throws -> [(number: Int64, id: String, turn: Turn?)] {
        try all(
            "SELECT number, id, turn FROM runs WHERE \(Self.isOpen) \(Self.inOrder) LIMIT ?",
            key.values + [limit]
        ) { row in
            (number: try row.next(), id: try row.next(), turn: try row.turn())
        }
    }

    /// Runs whose time has come go into their lines.
    func enterLines(of namespace: String, now: Timestamp) throws {
        let due = try all(
            """
            SELECT number, workflow, key FROM runs
            WHERE namespace = ? AND wake_at <= ? AND turn = \(Turn.waitsForTime.rawValue) ORDER BY number
            """, [namespace, now.milliseconds]
        ) { row in
            (
                number: try row.next() as Int64, workflow: try row.next() as String,
                key: try row.next() as String?
            )
        }
        for entering in due {
            try run("UPDATE runs SET wake_at = NULL WHERE number = ?", [entering.number])
            let line = entering.key.map { Line(namespace: namespace, workflow: entering.workflow, key: $0) }
            if let line, try openRuns(line, limit: 1).first?.number != entering.number {
                try run(
                    "UPDATE runs SET turn = ? WHERE number = ?", [Turn.waitsForKey.rawValue, entering.number])
            } else {
                _ = try passKey(entering.number, of: entering.workflow, in: namespace, now: now)
            }
        }
    }

    /// A run goes on for another one, where that stands in its lines.
    ///
    /// - Returns: whether it can be claimed now.
    func takePlace(_ new: Int64, of old: Int64, now: Timestamp) throws -> Bool {
        try run(
            """
            UPDATE runs SET place = (SELECT COALESCE(place, number) FROM runs WHERE number = ?) WHERE number = ?
            """, [old, new])
        let lines = try all(
            "SELECT namespace, workflow, concurrency_key, turn FROM runs WHERE number IN (?, ?) ORDER BY number",
            [old, new]
        ) { row in
            (
                namespace: try row.next() as String, workflow: try row.next() as String,
                slot: try row.next() as String?, turn: try row.turn()
            )
        }
        guard lines.count == 2 else { return false }
        if lines[0].slot == lines[1].slot { return try giveTurn([new], lines[0].turn, now: now) }
        return try passKey(new, of: lines[1].workflow, in: lines[1].namespace, now: now)
    }

    /// A run has ended: what waited for it goes on.
    ///
    /// - Returns: whether one of them can be claimed now.
    func leaveLines(key: Line?, slot: Line?, now: Timestamp) throws -> Bool {
        var wakes = false
        if let key, let first = try openRuns(key, limit: 1).first, first.turn == .waitsForKey {
            wakes = try passKey(first.number, of: key.workflow, in: key.namespace, now: now)
        }
        if let slot, try admit(slot, now: now) { wakes = true }
        return wakes
    }

    private func passKey(
        _ number: Int64, of workflow: String, in namespace: String, now: Timestamp
    ) throws -> Bool {
        let slot = try first("SELECT concurrency_key FROM runs WHERE number = ?", [number]) { row in
            try row.next() as String?
        }
        guard let slot = slot ?? nil else { return try giveTurn([number], nil, now: now) }
        try run("UPDATE runs SET turn = ? WHERE number = ?", [Turn.waitsForSlot.rawValue, number])
        return try admit(Line(namespace: namespace, workflow: workflow, key: slot), now: now)
    }

    /// Gives free slots to those that wait longest.
    ///
    /// - Returns: whether one of them can be claimed now.
    func admit(_ line: Line, now: Timestamp) throws -> Bool {
        var free = Int.max
        if let limit = try rules(of: line.workflow, in: line.namespace).concurrencyLimit {
            free = limit - (try holders(line, limit: limit).count)
        }
        guard free > 0 else { return false }
        let next = try all(
            "SELECT number FROM runs WHERE \(Self.inLine) \(Self.inOrder) LIMIT ?",
            line.values + [Turn.waitsForSlot.rawValue, free]
        ) { try $0.next() as Int64 }
        return try giveTurn(next, .holdsSlot, now: now)
    }

    func admitAll(of workflow: String, in namespace: String, now: Timestamp) throws {
        let keys = try all(
            """
            SELECT DISTINCT concurrency_key FROM runs WHERE namespace = ? AND workflow = ?
                AND concurrency_key IS NOT NULL AND ended_at IS NULL AND turn = ?
            """, [namespace, workflow, Turn.waitsForSlot.rawValue]
        ) { try $0.next() as String }
        for key in keys {
            _ = try admit(Line(namespace: namespace, workflow: workflow, key: key), now: now)
        }
    }

    /// A run that is paused keeps its turn for later.
    private func giveTurn(_ numbers: [Int64], _ turn: Turn?, now: Timestamp) throws -> Bool {
        var wakes = false
        for number in numbers {
            try run("UPDATE runs SET turn = ? WHERE number = ?", [turn?.rawValue, number])
            try run(
                "UPDATE runs SET wake_at = ? WHERE number = ? AND status = 'queued'",
                [now.milliseconds, number])
            if db.changesCount > 0 { wakes = true }
        }
        return wakes
    }

    private func holders(_ line: Line, limit: Int) throws -> [String] {
        try all(
            "SELECT id FROM runs WHERE \(Self.inLine) \(Self.inOrder) LIMIT ?",
            line.values + [Turn.holdsSlot.rawValue, limit]
        ) { try $0.next() }
    }

    /// Fills in why runs can't begin yet; each line is looked at once.
    func withBlockages(_ runs: [RunRecord]) throws -> [RunRecord] {
        var keys: [Line: [(number: Int64, id: String, turn: Turn?)]] = [:]
        var breakers: [Line: Timestamp?] = [:]
        var slots: [Line: (limit: Int?, holders: [String])] = [:]
        return try runs.map { run in
            guard var blockage = run.blockedBy else { return run }
            let line = Line(namespace: run.namespace, workflow: run.workflow, key: blockage.key)
            switch blockage.kind {
            case .key:
                let open = try keys[line] ?? openRuns(line, limit: Blockage.mostRuns)
                keys[line] = open
                blockage.runs = open.prefix { $0.number != run.number }.map(\.id)
            case .concurrency:
                let slot =
                    try slots[line] ?? (
                        try rules(of: line.workflow, in: line.namespace).concurrencyLimit,
                        try holders(line, limit: Blockage.mostRuns)
                    )
                slots[line] = slot
                blockage.limit = slot.limit ?? 0
                blockage.runs = slot.holders
            case .breaker:
                let until = try breakers[line] ?? breaker(of: run.workflow, in: run.namespace)?.dueAt
                breakers[line] = .some(until)
                blockage.until = until
            }
            var run = run
            run.blockedBy = blockage
            return run
        }
    }
}

extension Columns {
    mutating func turn() throws -> Turn? {
        (try next() as Int?).flatMap(Turn.init(rawValue:))
    }
}
