import GRDB
import PerigeeJournal
@testable import PerigeeSQLite
import Synchronization
import Testing

/// What the writer asks the database for a run, statement by statement.
@Suite struct QueryCountTests {
    private static let now = Timestamp(milliseconds: 1_790_000_000_000)

    @Test func `a run with neither key nor slot costs no query for lines`() async throws {
        #expect(try await counts(key: nil, slot: nil) == [2, 8, 3])
    }

    @Test func `a run with a key and a slot costs a few more`() async throws {
        let counts = try await counts(key: "k", slot: "s")
        #expect(counts[0] > 2 && counts[0] < 11)
        #expect(counts[1] == 8)
        #expect(counts[2] > 3 && counts[2] < 9)
    }

    /// How many statements the submission, the claim and the end of a run take, without those that frame a transaction.
    private func counts(key: String?, slot: String?) async throws -> [Int] {
        try await withScratch { directory in
            let journal = try SQLiteJournal(path: directory + "/perigee.db")
            _ = try await journal.saveVersion(
                namespace: "main", workflow: "a", bundle: "b", files: ["a.lua": ""],
                rules: WorkflowRules(concurrencyLimit: 2),
                now: Self.now)
            let seen = Mutex(0)
            try await journal.pool.writeWithoutTransaction { db in
                db.trace { event in
                    let sql = "\(event)"
                    let frames = ["BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "PRAGMA"]
                    if !frames.contains(where: { sql.hasPrefix($0) }) { seen.withLock { $0 += 1 } }
                }
            }
            func take() -> Int {
                seen.withLock { count in
                    defer { count = 0 }; return count
                }
            }
            _ = take()
            let run = NewRun(
                id: "run_1", workflow: "a", version: 1, bundle: "b", key: key, onConflict: .queue,
                concurrencyKey: slot, input: Array("{}".utf8), trigger: Array("{}".utf8), correlationID: "c")
            let submission = Submission(namespace: "main", starts: [run])
            _ = try await journal.submit([submission], now: Self.now).first?.get()
            var counts = [take()]
            let claim = try await journal.claim(
                host: "h", namespace: "main", now: Self.now, limit: 9, only: nil)
            counts.append(take())
            let number = try #require(claim.runs.first?.run.number)
            let end = Commit(
                run: number, epoch: 1, at: Self.now, next: .ended(.completed, output: nil, error: nil))
            _ = try await journal.commit([end]).first?.get()
            counts.append(take())
            try journal.close()
            return counts
        }
    }
}
