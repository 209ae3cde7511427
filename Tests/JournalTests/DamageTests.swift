import Foundation
import PerigeeJournal
@testable import PerigeeSQLite
import Testing

/// Files that something has changed: they are refused as they are, or read as they were.
@Suite struct DamageTests {
    private static let pageSize = 16384

    /// A closed store with a random life behind it, and what it showed.
    private func makeStore(
        _ path: String, _ maker: inout OperationMaker
    ) async throws -> (journal: SQLiteJournal, facts: [AnyHashable]) {
        let journal = try SQLiteJournal(path: path, limits: StoreFile.Limits(checkpointPages: 60))
        var now = Timestamp(milliseconds: 1_790_000_000_000)
        for _ in 0..<120 {
            now = now.adding(milliseconds: 500)
            let runs = try await journal.snapshot(claimingAt: nil, histories: false).runs
            _ = await journal.perform(maker.operation(runs: runs, waits: [], now: now), now: now)
        }
        return (journal, try await journal.snapshot(claimingAt: nil, histories: true).facts)
    }

    private struct Outcome {
        var refusal: JournalError?
        var facts: [AnyHashable]?
    }

    /// Opens a file, which stays as it is where it is refused.
    private func open(_ path: String) async throws -> Outcome {
        let names = [path, path + "-wal"]
        // SQLite puts an empty log beside a file that it only reads.
        let contents = { names.map { FileManager.default.contents(atPath: $0) ?? Data() } }
        let before = contents()
        do {
            let journal = try SQLiteJournal(path: path)
            let facts = try? await journal.snapshot(claimingAt: nil, histories: true).facts
            try? journal.close()
            return Outcome(facts: facts)
        } catch {
            #expect(contents() == before, "\(error)")
            #expect(error.message.contains(path) && !error.hint.isEmpty)
            return Outcome(refusal: error)
        }
    }

    private func copy(_ path: String, to other: String) throws {
        for suffix in ["", "-wal"] {
            try? FileManager.default.removeItem(atPath: other + suffix)
            guard FileManager.default.fileExists(atPath: path + suffix) else { continue }
            try FileManager.default.copyItem(atPath: path + suffix, toPath: other + suffix)
        }
    }

    private func edit(_ path: String, _ change: (inout Data) -> Void) throws {
        let url = URL(fileURLWithPath: path)
        var data = try Data(contentsOf: url)
        change(&data)
        try data.write(to: url)
    }

    @Test func `pages that are lost, mixed up or overwritten never give a wrong answer`() async throws {
        let seed = UInt64.random(in: 0...UInt64(UInt32.max))
        print("PERIGEE_SEED=\(seed)")
        var maker = OperationMaker(seed: seed)
        try await withScratch { directory in
            let (journal, facts) = try await makeStore(directory + "/a.db", &maker)
            try journal.close()
            let other = directory + "/b.db"
            var refusals = 0
            for round in 0..<40 {
                try copy(directory + "/a.db", to: other)
                try edit(other) { damagePage(&$0, &maker, kind: round % 4) }
                let outcome = try await open(other)
                if case .damaged? = outcome.refusal { refusals += 1 }
                #expect(outcome.facts == nil || outcome.facts == facts, "seed \(seed) round \(round)")
            }
            #expect(refusals > 20)
        }
    }

    private func damagePage(_ data: inout Data, _ maker: inout OperationMaker, kind: Int) {
        let count = data.count / Self.pageSize
        let page = Int.random(in: 0..<count, using: &maker.random) * Self.pageSize
        let range = page..<page + Self.pageSize
        switch kind {
        case 0: data.replaceSubrange(range, with: Data(count: Self.pageSize))
        case 1:
            let bytes = (0..<Self.pageSize).map { _ in UInt8.random(in: 0...255, using: &maker.random) }
            data.replaceSubrange(range, with: bytes)
        case 2:
            let other = Int.random(in: 0..<count, using: &maker.random) * Self.pageSize
            let bytes = data.subdata(in: other..<other + Self.pageSize)
            data.replaceSubrange(other..<other + Self.pageSize, with: data.subdata(in: range))
            data.replaceSubrange(range, with: bytes)
        default: data.removeLast(data.count - Int.random(in: 0..<data.count, using: &maker.random))
        }
    }

    @Test func `bytes that are changed anywhere end in an answer or an error`() async throws {
        let seed = UInt64.random(in: 0...UInt64(UInt32.max))
        print("PERIGEE_SEED=\(seed)")
        var maker = OperationMaker(seed: seed)
        try await withScratch { directory in
            let (journal, _) = try await makeStore(directory + "/a.db", &maker)
            try journal.close()
            var refusals = 0
            for _ in 0..<40 {
                try copy(directory + "/a.db", to: directory + "/b.db")
                try edit(directory + "/b.db") { data in
                    for _ in 0..<8 {
                        let place = Int.random(in: data.indices, using: &maker.random)
                        data[place] = UInt8.random(in: 0...255, using: &maker.random)
                    }
                }
                // What is no longer a value of its kind is refused; a letter within a text can't be told.
                if try await open(directory + "/b.db").refusal != nil { refusals += 1 }
            }
            #expect(refusals > 0)
        }
    }

    @Test func `a changed byte of the log is found unless it is among the last transactions`() async throws {
        let seed = UInt64.random(in: 0...UInt64(UInt32.max))
        print("PERIGEE_SEED=\(seed)")
        var maker = OperationMaker(seed: seed)
        try await withScratch { directory in
            let path = directory + "/a.db"
            let journal = try SQLiteJournal(path: path)
            var sizes: [Int] = []
            for number in 1...20 {
                let run = NewRun(
                    id: "run_\(number)", workflow: "w", version: 1, bundle: "b", input: Array("{}".utf8),
                    trigger: Array("{}".utf8), correlationID: "c")
                _ = try await journal.submit(
                    [Submission(namespace: "main", starts: [run])], now: Timestamp(milliseconds: 1))
                sizes.append(try Data(contentsOf: URL(fileURLWithPath: path + "-wal")).count)
            }
            try copy(path, to: directory + "/original.db")
            try journal.close()
            let facts = try await open(copyOf: directory + "/original.db", in: directory) { _ in }.facts
            #expect(facts != nil)
            for _ in 0..<40 {
                let place = Int.random(in: 0..<sizes[19], using: &maker.random)
                let outcome = try await open(copyOf: directory + "/original.db", in: directory) {
                    $0[place] ^= 1 << UInt8.random(in: 0..<8, using: &maker.random)
                }
                let isRefused = if case .damaged? = outcome.refusal { true } else { false }
                let isLast = place >= sizes[17]
                #expect(isRefused || isLast && outcome.facts != nil, "seed \(seed): byte \(place)")
            }
        }
    }

    private func open(
        copyOf path: String, in directory: String, changing change: (inout Data) -> Void
    ) async throws -> Outcome {
        try copy(path, to: directory + "/b.db")
        try edit(directory + "/b.db-wal", change)
        return try await open(directory + "/b.db")
    }
}
