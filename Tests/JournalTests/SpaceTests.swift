import FaultyDisk
import Foundation
import GRDB
import PerigeeJournal
@testable import PerigeeSQLite
import PerigeeTesting
import Synchronization
import Testing

/// What a database takes of the disk, and how it gives back what it needs no more.
@Suite(.timeLimit(.minutes(5)))
struct SpaceTests {
    private static let now = Timestamp(milliseconds: 1_790_000_000_000)
    private static let page = 16_384

    private static func submission(_ number: Int, bytes: Int = 40_000) -> Submission {
        let input = Payload(repeating: UInt8(0x61 + number % 26), count: bytes)
        let run = NewRun(
            id: "run_\(number)", workflow: "w", version: 1, bundle: "b", input: input,
            trigger: Array("{}".utf8), correlationID: "c")
        return Submission(namespace: "main", starts: [run])
    }

    /// Starts runs, of which every tenth stays while the others are removed.
    ///
    /// - Returns: the numbers of those that stay.
    @discardableResult
    private static func fillAndRemove(_ journal: SQLiteJournal, runs: Int) async throws -> [Int] {
        for number in 1...runs { _ = try await journal.submit([submission(number)], now: now)[0].get() }
        for number in 1...runs where number % 10 != 0 {
            _ = try await journal.cancel(
                run: "run_\(number)", error: Array("{}".utf8), isForced: false, now: now)
        }
        var expiry = Expiry(namespace: "main", keep: .milliseconds(0), limit: 1000)
        repeat {
            expiry.cursor = try await journal.removeExpired(expiry, now: now).nextCursor
        } while expiry.cursor != nil
        return Array(stride(from: 10, through: runs, by: 10))
    }

    private static func expectRuns(_ numbers: some Sequence<Int>, in journal: SQLiteJournal) async throws {
        for number in numbers {
            let run = try await journal.run(id: "run_\(number)")
            #expect(run?.input == submission(number).starts[0].input)
        }
    }

    private static func giveBackAll(_ journal: SQLiteJournal, bytes: Int = 1 << 20) async throws -> StoreSpace
    {
        while try await journal.giveBack(bytes: bytes).free > 0 {}
        return try await journal.copyLog()
    }

    @Test func `what retention freed goes back to the system, a step at a time`() async throws {
        try await withScratch { directory in
            let path = directory + "/a.db"
            let journal = try SQLiteJournal(path: path)
            let kept = try await Self.fillAndRemove(journal, runs: 200)
            let before = try await journal.copyLog()
            #expect(before.givesBack && before.log > 0)
            #expect(before.free > 5_000_000 && before.file == before.used + before.free)

            let step = try await journal.giveBack(bytes: 4 * Self.page)
            #expect(step.free == before.free - 4 * Self.page)
            #expect(step.file == before.file)
            let after = try await Self.giveBackAll(journal)
            #expect(after.free == 0 && after.file == after.used && after.file < before.file / 4)
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
            #expect(size == after.file)
            #expect(try await journal.giveBack(bytes: 1) == after)
            await #expect(throws: JournalError.self) { _ = try await journal.giveBack(bytes: 0) }

            try await Self.expectRuns(kept, in: journal)
            try journal.close()
            try SQLiteJournal.check(path: path)
        }
    }

    @Test func `runs are started meanwhile, and none is lost`() async throws {
        try await withScratch { directory in
            let path = directory + "/a.db"
            let journal = try SQLiteJournal(path: path)
            try await Self.fillAndRemove(journal, runs: 200)
            let steps = Mutex(0)
            async let started = withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        for number in 0..<50 {
                            let run = Self.submission(1000 + writer * 50 + number)
                            _ = try await journal.submit([run], now: Self.now)[0].get()
                        }
                    }
                }
                try await group.waitForAll()
                return steps.withLock { $0 }
            }
            var space = try await journal.space()
            while space.free > 0 {
                space = try await journal.giveBack(bytes: 4 * Self.page)
                steps.withLock { $0 += 1 }
            }
            #expect(try await started > 1, "they wait for a step at most")
            let after = try await Self.giveBackAll(journal)
            #expect(after.free == 0)
            try await Self.expectRuns(1000..<1200, in: journal)
            try journal.close()
            try SQLiteJournal.check(path: path)
        }
    }

    @Test func `nobody waits for a read that still needs the log`() async throws {
        try await withScratch { directory in
            let journal = try SQLiteJournal(path: directory + "/a.db")
            try await Self.fillAndRemove(journal, runs: 100)
            _ = try await journal.copyLog()
            let reader = try journal.pool.makeSnapshot()
            let held = try await Self.giveBackAll(journal)
            #expect(held.free == 0 && held.file > held.used, "what it reads may still be in the file")
            #expect(try await reader.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM runs") } == 10)
            try reader.close()
            let after = try await journal.copyLog()
            #expect(after.file == after.used)
            try journal.close()
        }
    }

    @Test func `a process that dies at any transaction of it leaves a file with everything`() async throws {
        try await withScratch { directory in
            let path = directory + "/a.db"
            let copies = Mutex<[String]?>(nil)
            let journal = try SQLiteJournal(path: path) { number, phase in
                copies.withLock { list in
                    guard list != nil else { return }
                    let copy = directory + "/\(number)-\(phase).db"
                    for suffix in ["", "-wal"] {
                        try? FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
                    }
                    list?.append(copy)
                }
            }
            let kept = try await Self.fillAndRemove(journal, runs: 60)
            copies.withLock { $0 = [] }
            _ = try await Self.giveBackAll(journal, bytes: 20 * Self.page)
            let made = copies.withLock { $0 ?? [] }
            #expect(made.count > 8)
            for copy in made {
                try SQLiteJournal.check(path: copy)
                let survivor = try SQLiteJournal(path: copy)
                try await Self.expectRuns(kept, in: survivor)
                #expect(try await Self.giveBackAll(survivor).free == 0)
                try survivor.close()
                try SQLiteJournal.check(path: copy)
            }
            try journal.close()
        }
    }

    @Test(arguments: [FAULTY_DISK_POWER] + faulty_disk_fault.transient)
    func `a fault at each operation of it loses nothing`(_ fault: faulty_disk_fault) async throws {
        var operation = 1
        var isReached = true
        while isReached {
            try await withScratch { directory in
                let disk = try FailingDisk(directory: directory, seed: UInt64(operation))
                let path = directory + "/a.db"
                var journal = try SQLiteJournal(path: path)
                let kept = try await Self.fillAndRemove(journal, runs: 20)
                disk.plan(fault, first: operation)
                do {
                    _ = try await Self.giveBackAll(journal, bytes: 8 * Self.page)
                } catch let error as JournalError {
                    #expect(disk.failures > 0 && error.isOfTheDisk, "\(operation): \(error)")
                }
                isReached = disk.isPlanOver
                disk.pull(keepingCache: false)
                try? journal.close()
                try disk.restart()
                journal = try SQLiteJournal(path: path)
                try await Self.expectRuns(kept, in: journal)
                #expect(try await Self.giveBackAll(journal).free == 0, "\(operation)")
                try await Self.expectRuns(kept, in: journal)
                try journal.close()
                try SQLiteJournal.check(path: path)
            }
            operation += 1
        }
        #expect(operation > 5)
    }

    // MARK: Files that can't

    /// Makes a file as one that was created before space could be given back.
    private static func makeOld(_ path: String) throws {
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA auto_vacuum = NONE; VACUUM") }
        try queue.close()
    }

    @Test func `an old file gives nothing back until it is written anew`() async throws {
        try await withScratch { directory in
            let path = directory + "/a.db"
            try SQLiteJournal(path: path).close()
            try Self.makeOld(path)
            var journal = try SQLiteJournal(path: path)
            let kept = try await Self.fillAndRemove(journal, runs: 100)
            let before = try await journal.copyLog()
            #expect(!before.givesBack && before.free > 1_000_000)
            #expect(try await journal.giveBack(bytes: 1 << 20) == before)
            #expect(throws: JournalError.self) { try SQLiteJournal.rewrite(path: path) }
            try journal.close()

            try Data("left by a crash".utf8).write(to: URL(fileURLWithPath: path + ".new"))
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
            let needed = try SQLiteJournal.spaceForRewriting(path: path)
            let sizes = try SQLiteJournal.rewrite(path: path)
            #expect(sizes.before.free == before.free && sizes.before.used == before.used)
            #expect(sizes.after.file <= needed)
            let rights = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(rights == 0o640)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == [
                    "a.db", "a.db.lock",
                ])
            try SQLiteJournal.check(path: path)
            journal = try SQLiteJournal(path: path)
            try await Self.expectRuns(kept, in: journal)
            let now = try await journal.space()
            #expect(now.givesBack)
            #expect(now.free < 4 * Self.page)
            try await Self.fillAndRemove(journal, runs: 9)
            #expect(try await Self.giveBackAll(journal).free == 0)
            try journal.close()
        }
    }

    @Test func `a file that another program has open is not written anew, and nothing is left beside it`()
        async throws
    {
        try await withScratch { directory in
            let path = directory + "/a.db"
            try SQLiteJournal(path: path).close()
            let other = try DatabaseQueue(path: path)
            _ = try await other.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM runs") }
            let error = #expect(throws: JournalError.self) { try SQLiteJournal.rewrite(path: path) }
            guard case .inUse = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(!FileManager.default.fileExists(atPath: path + ".new"))
            try other.close()
            _ = try SQLiteJournal.rewrite(path: path)
            try SQLiteJournal(path: path).close()
        }
    }

    @Test func `one file is one store, whatever link leads to it`() async throws {
        try await withScratch { directory in
            let (path, link) = (directory + "/a.db", directory + "/link.db")
            try SQLiteJournal(path: path).close()
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
            let journal = try SQLiteJournal(path: link)
            #expect(throws: JournalError.self) { try SQLiteJournal(path: path) }
            #expect(throws: JournalError.self) { try SQLiteJournal.rewrite(path: path) }
            try journal.close()
            _ = try SQLiteJournal.rewrite(path: link)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == path)
            try SQLiteJournal(path: path).close()
        }
    }
}
