import Foundation
import PerigeeJournal
@testable import PerigeeSQLite
import Synchronization
import Testing

/// How the one writer of an SQLite journal treats those who wait for it.
@Suite struct SQLiteWriterTests {
    private static let now = Timestamp(milliseconds: 1_790_000_000_000)

    /// Holds the writer before a commit until the test lets it go, and counts its transactions.
    private final class Gate: Sendable {
        private let isShut = Mutex(false)
        private let signal = DispatchSemaphore(value: 0)
        let phases = Mutex<[(number: Int, phase: TransactionPhase)]>([])

        func shut() { isShut.withLock { $0 = true } }

        func open() {
            isShut.withLock { $0 = false }
            signal.signal()
        }

        var commits: Int { phases.withLock { $0.count { $0.phase == .afterCommit } } }

        func pass(_ number: Int, _ phase: TransactionPhase) {
            phases.withLock { $0.append((number, phase)) }
            if phase == .beforeCommit, isShut.withLock({ $0 }) { signal.wait() }
        }
    }

    private func withGate(
        maxPages: Int? = nil, _ body: (SQLiteJournal, Gate) async throws -> Void
    ) async throws {
        try await withScratch { directory in
            let gate = Gate()
            let journal = try SQLiteJournal(
                path: directory + "/a.db", limits: StoreFile.Limits(maxPages: maxPages),
                onTransaction: { gate.pass($0, $1) })
            try await body(journal, gate)
            try journal.close()
        }
    }

    private func submission(_ id: String, inputSize: Int = 2) -> Submission {
        Submission(
            namespace: "main",
            starts: [
                NewRun(
                    id: id, workflow: "w", version: 1, bundle: "b",
                    input: Payload(repeating: 0x20, count: inputSize), trigger: Array("{}".utf8),
                    correlationID: "c")
            ])
    }

    private func entry(_ sequence: Int) -> Entry {
        Entry(sequence: sequence, recordedAt: Self.now, fact: .versionMoved(from: 1, to: 2, bundle: "b"))
    }

    /// Waits until this many pieces of work wait for the writer.
    private func waitForBacklog(_ count: Int, of journal: SQLiteJournal) async {
        while journal.writer.backlog < count { await Task.yield() }
    }

    @Test func `commits that wait share a transaction, and a bad one fails alone`() async throws {
        try await withGate { journal, gate in
            _ = try await journal.submit((1...64).map { submission("run_\($0)") }, now: Self.now)
            let claim = try await journal.claim(
                host: "h", namespace: "main", now: Self.now, limit: 64, only: nil)
            let before = gate.commits
            gate.shut()
            async let held: Void = journal.checkWritable()
            while gate.phases.withLock({ $0.last?.phase }) != .beforeCommit { await Task.yield() }
            let outcomes = try await withThrowingTaskGroup(of: Bool.self) { group in
                for claimed in claim.runs {
                    let number = claimed.run.number
                    // Every eighth is refused at once; every eighth fails after it has written.
                    let isFenced = number % 8 == 1
                    let emits = number % 8 == 2 ? [submission("run_1")] : []
                    let commit = Commit(
                        run: number, epoch: isFenced ? 7 : 1, at: Self.now, entries: [entry(1)], emits: emits,
                        next: .running)
                    group.addTask { (try? await journal.commit([commit])[0].get()) != nil }
                }
                await waitForBacklog(64, of: journal)
                gate.open()
                return try await group.reduce(into: []) { $0.append($1) }
            }
            try await held
            #expect(outcomes.count { !$0 } == 16)
            #expect(gate.commits - before == 2)
            let entries = try await journal.runs(RunQuery(namespace: "main", limit: 100)).runs.map(
                \.entryCount)
            #expect(entries.count == 64 && entries.reduce(0, +) == 48)
        }
    }

    @Test func `transactions are numbered, and one that changes nothing is none`() async throws {
        try await withGate { journal, gate in
            _ = try await journal.claim(host: "h", namespace: "main", now: Self.now, limit: 1, only: nil)
            #expect(gate.commits == 0)
            for number in 1...3 {
                _ = try await journal.submit([submission("run_\(number)")], now: Self.now)
            }
            let phases = gate.phases.withLock { $0 }
            #expect(phases.map(\.number) == [1, 1, 2, 2, 3, 3])
            #expect(phases.map { $0.phase == .beforeCommit } == [true, false, true, false, true, false])
        }
    }

    @Test func `a cancelled caller's write is done`() async throws {
        try await withGate { journal, gate in
            gate.shut()
            let task = Task { try await journal.submit([submission("run_1")], now: Self.now)[0].get() }
            while gate.phases.withLock({ $0.isEmpty }) { await Task.yield() }
            let late = Task { try await journal.submit([submission("run_2")], now: Self.now)[0].get() }
            await waitForBacklog(1, of: journal)
            task.cancel()
            late.cancel()
            gate.open()
            let first = try await task.value
            let second = try await late.value
            #expect(first.runs == ["run_1"])
            #expect(second.runs == ["run_2"])
        }
    }

    @Test func `reads do not wait for the writer`() async throws {
        try await withGate { journal, gate in
            _ = try await journal.submit([submission("run_1")], now: Self.now)
            gate.shut()
            async let held = journal.submit([submission("run_2")], now: Self.now)
            while gate.phases.withLock({ $0.last?.phase }) != .beforeCommit { await Task.yield() }
            #expect(try await journal.runs(RunQuery(namespace: "main")).runs.map(\.id) == ["run_1"])
            gate.open()
            _ = try await held
            #expect(try await journal.runs(RunQuery(namespace: "main")).runs.count == 2)
        }
    }

    @Test func `a full disk refuses what does not fit and keeps the rest`() async throws {
        try await withGate(maxPages: 80) { journal, gate in
            var accepted: [String] = []
            var refusal: (any Error)?
            while refusal == nil, accepted.count < 1000 {
                let id = "run_\(accepted.count + 1)"
                gate.shut()
                async let held: Void = journal.checkWritable()
                while gate.phases.withLock({ $0.last?.phase }) != .beforeCommit { await Task.yield() }
                async let small = journal.submit([submission(id)], now: Self.now)[0].get()
                async let big = journal.submit([submission("big_\(id)", inputSize: 40_000)], now: Self.now)[0]
                    .get()
                await waitForBacklog(2, of: journal)
                gate.open()
                try await held
                accepted += try await small.runs
                do { accepted += try await big.runs } catch { refusal = error }
            }
            guard case JournalError.diskFull? = refusal else {
                Issue.record("\(String(describing: refusal))")
                return
            }
            let held = try await journal.runs(RunQuery(namespace: "main", limit: 500)).runs.map(\.id)
            #expect(held.sorted() == accepted.sorted())
            try await journal.checkWritable()
        }
    }

    @Test func `a closed journal refuses, after it has finished what came before`() async throws {
        try await withGate { journal, gate in
            gate.shut()
            async let held = journal.submit([submission("run_1")], now: Self.now)
            while gate.phases.withLock({ $0.isEmpty }) { await Task.yield() }
            async let waiting = journal.submit([submission("run_2")], now: Self.now)
            await waitForBacklog(1, of: journal)
            gate.open()
            try journal.close()
            #expect(try await held[0].get().runs == ["run_1"])
            #expect(try await waiting[0].get().runs == ["run_2"])
            await #expect(throws: JournalError.self) { try await journal.checkWritable() }
            await #expect(throws: JournalError.self) { _ = try await journal.run(id: "run_1") }
        }
    }
}
