import FaultyDisk
import Foundation
import GRDB
import PerigeeJournal
@testable import PerigeeSQLite
import Synchronization
import Testing

/// Random operations on a journal whose disk fails, beside the model of what has been answered.
///
/// What was answered is in the model. What failed is in doubt: it may come to light when the file is opened again,
/// wholly or not at all, until a later transaction has taken its place.
final class StorageTrial {
    private struct Call {
        var operation: Operation
        var now: Timestamp
    }

    private final class TransactionCounter: Sendable {
        let value = Mutex(0)
    }

    private let seed: UInt64
    private let path: String
    let disk: FailingDisk
    private var journal: SQLiteJournal?
    private var model = MemoryJournal()
    private var answered: [Call] = []
    private var inDoubt: [Call] = []
    private let commits = TransactionCounter()
    private var now = Timestamp(milliseconds: 1_790_000_000_000)
    private var runs: [RunRecord] = []
    private var waits: Set<String> = []
    /// Keeps the log from being copied wholly into the file.
    private var reader: DatabaseSnapshot?
    var maker: OperationMaker
    private(set) var successes = 0
    private(set) var restarts = 0

    init(directory: String, seed: UInt64) throws {
        self.seed = seed
        path = directory + "/perigee.db"
        disk = try FailingDisk(directory: directory, seed: seed)
        maker = OperationMaker(seed: seed)
    }

    /// Opens the file; `false` if the disk failed.
    func open() throws -> Bool {
        do {
            journal = try SQLiteJournal(path: path, limits: StoreFile.Limits(checkpointPages: 15)) {
                [commits] _, phase in
                if phase == .afterCommit { commits.value.withLock { $0 += 1 } }
            }
            return true
        } catch {
            try expectFault(error)
            return false
        }
    }

    func random(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &maker.random) }

    /// Makes one random call; `false` if the disk failed.
    func step() async throws -> Bool {
        now = now.adding(milliseconds: Int64.random(in: 0...1500, using: &maker.random))
        let operation = maker.operation(runs: runs, waits: waits.sorted(), now: now)
        if case .commit(let commits) = operation { waits.formUnion(commits.flatMap { $0.opens.map(\.id) }) }
        return try await call(operation)
    }

    private func call(_ operation: Operation) async throws -> Bool {
        let journal = try #require(journal)
        let before = commits.value.withLock { $0 }
        do {
            let got = try await journal.performOnFailingDisk(operation, now: now)
            let expected = await model.perform(operation, now: now)
            let isSame = got == expected
            try #require(isSame, "seed \(seed): \(operation)")
            if expected.succeeded { successes += 1 }
            answered.append(Call(operation: operation, now: now))
            if commits.value.withLock({ $0 }) > before { inDoubt = [] }
            runs = try await model.snapshot(claimingAt: nil, histories: false).runs
            return true
        } catch let error as JournalError {
            try expectFault(error)
            inDoubt.append(Call(operation: operation, now: now))
            return false
        }
    }

    /// A failure of the disk is told as one, and never as damage of the file.
    private func expectFault(_ error: JournalError) throws {
        try #require(disk.failures > 0, "seed \(seed): failed without a fault: \(error)")
        try #require(error.isOfTheDisk, "seed \(seed): \(error)")
        #expect(!error.hint.isEmpty && error.message.contains(path))
    }

    /// A long read begins or ends.
    func toggleReader() throws {
        do { reader = try reader == nil ? journal?.pool.makeSnapshot() : nil } catch {
            try #require(disk.failures > 0, "seed \(seed): \(error)")
        }
    }

    /// Whether the journal works again now that the disk does; otherwise it says that it must be opened anew.
    func recovers() async throws -> Bool {
        let journal = try #require(journal)
        do {
            try await journal.checkWritable()
        } catch let error as JournalError {
            try #require(error.needsRestart, "seed \(seed): \(error)")
            return false
        }
        answered.append(Call(operation: .checkWritable, now: now))
        inDoubt = []
        try await compare(with: model)
        return true
    }

    func close() throws {
        reader = nil
        try journal?.close()
        journal = nil
    }

    /// The process ends, or the power fails with it; then everything is opened again and compared.
    ///
    /// - Parameter again: plans a fault for the opening, too.
    func crash(keepingCache: Bool, again: (FailingDisk) -> Void = { _ in }) async throws {
        restarts += 1
        try turnOffAndOn(keepingCache: keepingCache)
        again(disk)
        while try !open() || disk.isOff { try turnOffAndOn(keepingCache: keepingCache) }
        disk.mend()
        try await settle()
    }

    private func turnOffAndOn(keepingCache: Bool) throws {
        disk.pull(keepingCache: keepingCache)
        reader = nil
        try? journal?.close()
        journal = nil
        try disk.restart()
    }

    /// Finds out which of the calls in doubt has come to light, if any.
    private func settle() async throws {
        let journal = try #require(journal)
        // The store has forgotten its hosts; now the model does. What a host was asked to do shows only then.
        let releases = ["host-1", "host-2", "host-3"].map { Call(operation: .release(host: $0), now: now) }
        for release in releases { _ = await journal.perform(release.operation, now: now) }
        let probe = eventProbe
        let known = await journal.perform(probe.operation, now: now)
        let held = try await journal.snapshot(claimingAt: now, histories: true).facts
        for doubt in [nil] + inDoubt.map(Optional.some) {
            let calls = answered + (doubt.map { [$0] } ?? []) + releases + [probe]
            let candidate = MemoryJournal()
            var last: Answer?
            for call in calls { last = await candidate.perform(call.operation, now: call.now) }
            guard last == known else { continue }
            let facts = try await candidate.snapshot(claimingAt: now, histories: true).facts
            guard facts == held else { continue }
            model = candidate
            answered = calls + [dueClaim]
            try await saveAgain()
            inDoubt = []
            runs = try await model.snapshot(claimingAt: nil, histories: false).runs
            return
        }
        Issue.record(
            "seed \(seed): the file holds neither what was answered nor one call in doubt: \(inDoubt)")
        throw FailingDisk.NoDisk()
    }

    /// Saves the versions in doubt once more, as a host does at its start: no snapshot shows their rules.
    private func saveAgain() async throws {
        let journal = try #require(journal)
        for doubt in inDoubt {
            guard case .saveVersion = doubt.operation else { continue }
            let again = Call(operation: doubt.operation, now: now)
            let saved = await journal.perform(again.operation, now: now)
            try #require(await model.perform(again.operation, now: now) == saved, "seed \(seed)")
            answered.append(again)
        }
    }

    /// Sends every event that a call in doubt may have recorded or removed once more, as no snapshot shows events.
    private var eventProbe: Call {
        guard !inDoubt.isEmpty else { return Call(operation: .submit([]), now: now) }
        var seen: Set<[String]> = []
        let events = (answered + inDoubt).flatMap(\.operation.submissions).compactMap(\.event)
        let new = events.filter { seen.insert([$0.namespace, $0.source, $0.sourceID]).inserted }
        return Call(
            operation: .submit(
                new.enumerated().map { number, event in
                    var event = event
                    (event.id, event.type) = ("probe_\(restarts)_\(number)", "probe")
                    return Submission(namespace: event.namespace, event: event, starts: [])
                }), now: now)
    }

    /// What a snapshot does to see what is due.
    private var dueClaim: Call { Call(operation: .claim(host: "host-1", limit: 1, only: .max), now: now) }

    private func compare(with model: MemoryJournal) async throws {
        let journal = try #require(journal)
        let wanted = try await model.snapshot(claimingAt: now, histories: true)
        let held = try await journal.snapshot(claimingAt: now, histories: true)
        let isSame = wanted.facts == held.facts
        try #require(isSame, "seed \(seed)")
        answered.append(dueClaim)
        runs = wanted.runs
    }
}

extension JournalError {
    /// The file has to be opened again before it can be written.
    var needsRestart: Bool { if case .syncFailed = self { true } else { false } }
}

extension Journal {
    /// Performs an operation, and throws what the disk refused; it never refuses a single member of a batch.
    fileprivate func performOnFailingDisk(_ operation: Operation, now: Timestamp) async throws -> Answer {
        let answer = await perform(operation, now: now)
        if let error = answer.value as? JournalError, error.isOfTheDisk { throw error }
        return answer
    }
}
