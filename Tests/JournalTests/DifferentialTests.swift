import Foundation
import PerigeeJournal
import PerigeeSQLite
import Testing

/// The same random operations go to every store; the memory journal is the model.
@Suite struct DifferentialTests {
    static let seeds: [UInt64] = {
        if let text = ProcessInfo.processInfo.environment["PERIGEE_SEED"], let seed = UInt64(text) {
            return [seed]
        }
        return (0..<3).map { _ in UInt64.random(in: 0...UInt64(UInt32.max)) }
    }()

    @Test(arguments: seeds)
    func `stores answer the same and hold the same after every operation`(seed: UInt64) async throws {
        print("PERIGEE_SEED=\(seed)")
        try await withScratch { directory in
            let path = directory + "/perigee.db"
            let model = MemoryJournal()
            var journal = try SQLiteJournal(path: path)
            var maker = OperationMaker(seed: seed)
            var now = Timestamp(milliseconds: 1_790_000_000_000)
            var runs: [RunRecord] = []
            var waits: Set<String> = []
            var missing = Set(
                Operation.names + ["a line for a key", "a line for a slot", "a pause that goes over"])
            var step = 0
            while step < 500 || !missing.isEmpty {
                step += 1
                try #require(step < 2000, "these never succeeded: \(missing)")
                now = now.adding(milliseconds: Int64.random(in: 0...1500, using: &maker.random))
                let operation = maker.operation(
                    runs: runs, waits: waits.sorted(), missing: missing, now: now)
                if case .commit(let commits) = operation {
                    waits.formUnion(commits.flatMap { $0.opens.map(\.id) })
                }
                let expected = await model.perform(operation, now: now)
                let got = await journal.perform(operation, now: now)
                try #require(got == expected, "seed \(seed) step \(step): \(operation)")
                if expected.succeeded { missing.remove(operation.name) }
                let wanted = try await model.snapshot(claimingAt: now, histories: step % 20 == 0)
                let held = try await journal.snapshot(claimingAt: now, histories: step % 20 == 0)
                let difference = zip(wanted.facts, held.facts).first { $0 != $1 }
                try #require(difference == nil, "seed \(seed) step \(step) after: \(operation)")
                try #require(wanted.facts.count == held.facts.count)
                runs = wanted.runs
                // Only the pause of the run before it is older than a run.
                if runs.contains(where: { run in run.pausedAt.map { $0 < run.createdAt } ?? false }) {
                    missing.remove("a pause that goes over")
                }
                for blockage in runs.compactMap(\.blockedBy) {
                    missing.remove(blockage.kind == .key ? "a line for a key" : "a line for a slot")
                }
                if step.isMultiple(of: 100) {
                    // The model forgets its hosts as a store does that is opened by a new process.
                    try journal.close()
                    journal = try SQLiteJournal(path: path)
                    for host in ["host-1", "host-2", "host-3"] {
                        try await model.release(host: host, now: now)
                        try await journal.release(host: host, now: now)
                    }
                }
            }
            try journal.close()
        }
    }
}
