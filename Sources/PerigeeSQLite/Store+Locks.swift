import GRDB
import PerigeeJournal

extension Store {
    /// A wait for a lock: it is granted at once if nobody holds the lock, and stays in the queue otherwise.
    func openForLock(_ wait: OpenWait, key: String, in namespace: String, at: Timestamp) throws {
        let isHeld = try first(
            "SELECT 1 FROM locks WHERE namespace = ? AND key = ?", [namespace, key]
        ) { _ in true }
        if isHeld == nil { _ = try grant(key, in: namespace, to: wait, at: at) }
    }

    private func grant(_ key: String, in namespace: String, to wait: OpenWait, at: Timestamp) throws -> Bool {
        try run(
            """
            INSERT INTO locks (namespace, key, run, wait, path, label, occurrence, since)
            SELECT ?, ?, run, id, path, label, occurrence, ? FROM waits WHERE number = ?
            """, [namespace, key, at.milliseconds, wait.number])
        return try answer(wait, payload: JSON.bool(true).bytes, at: at)
    }

    /// Gives back what a run holds by some of its waits, or all that it holds; the next that waits gets each.
    ///
    /// - Returns: whether a run can be claimed now that could not before.
    func release(_ number: Int64, by waits: [String]? = nil, at: Timestamp) throws -> Bool {
        if let waits, waits.isEmpty { return false }
        let held = try all(
            "SELECT number, namespace, key, wait FROM locks WHERE run = ? ORDER BY number", [number]
        ) { row in
            (
                number: try row.next() as Int64, namespace: try row.next() as String,
                key: try row.next() as String, wait: try row.next() as String
            )
        }
        let order = waits.map { waits in waits.compactMap { wait in held.first { $0.wait == wait } } }
        var wakes = false
        for lock in order ?? held {
            // The number may be another lock's by now, if a wait is named twice.
            try run("DELETE FROM locks WHERE number = ? AND wait = ?", [lock.number, lock.wait])
            guard db.changesCount > 0 else { continue }
            let next = try first(
                """
                SELECT number, run FROM waits
                WHERE namespace = ? AND kind = 4 AND target = ? AND answered_at IS NULL ORDER BY number
                """, [lock.namespace, lock.key]
            ) { OpenWait(number: try $0.next(), run: try $0.next()) }
            guard let next else { continue }
            wakes = try grant(lock.key, in: lock.namespace, to: next, at: at) || wakes
        }
        return wakes
    }

    func heldLocks(_ number: Int64) throws -> [HeldLock] {
        try all(
            "SELECT key, path, label, occurrence, since FROM locks WHERE run = ? ORDER BY number", [number]
        ) { HeldLock(key: try $0.next(), step: try $0.address(), since: try $0.time()) }
    }

    func awaitedLocks(_ number: Int64) throws -> [AwaitedLock] {
        try all(
            """
            SELECT w.target, r.id, (
                SELECT COUNT(*) FROM waits o WHERE o.namespace = w.namespace AND o.kind = 4
                    AND o.target = w.target AND o.answered_at IS NULL AND o.number < w.number)
            FROM waits w JOIN locks l ON l.namespace = w.namespace AND l.key = w.target
            JOIN runs r ON r.number = l.run
            WHERE w.run = ? AND w.kind = 4 AND w.answered_at IS NULL ORDER BY w.number
            """, [number]
        ) { AwaitedLock(key: try $0.next(), holder: try $0.next(), ahead: try $0.next()) }
    }
}
