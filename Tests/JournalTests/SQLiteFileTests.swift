import Foundation
import GRDB
import PerigeeJournal
@testable import PerigeeSQLite
import Testing

/// What opening and closing a database file promises.
@Suite struct SQLiteFileTests {
    private let now = Timestamp(milliseconds: 1_790_000_000_000)

    private func start(_ id: String, in journal: SQLiteJournal, input: Int = 2) async throws {
        let run = NewRun(
            id: id, workflow: "w", version: 1, bundle: "b", input: Payload(repeating: 0x20, count: input),
            trigger: Array("{}".utf8), correlationID: "c")
        _ = try await journal.submit([Submission(namespace: "main", starts: [run])], now: now)[0].get()
    }

    /// FNV-1a.
    private static func digest(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    private func setting(_ name: String, of journal: SQLiteJournal) throws -> Int? {
        try journal.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA \(name)") }
    }

    /// The files as a crash would leave them.
    private func copyAsCrashed(_ path: String, to copy: String) throws {
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
        }
    }

    private func expectRefusal(
        of path: String, _ isExpected: (JournalError) -> Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let before = FileManager.default.contents(atPath: path)
        let error = #expect(throws: JournalError.self, sourceLocation: sourceLocation) {
            _ = try SQLiteJournal(path: path)
        }
        #expect(
            try isExpected(#require(error)), "\(String(describing: error))", sourceLocation: sourceLocation)
        #expect(FileManager.default.contents(atPath: path) == before, sourceLocation: sourceLocation)
    }

    @Test func `every commit reaches the disk: synchronous is FULL`() async throws {
        try await withScratch { directory in
            let journal = try SQLiteJournal(path: directory + "/a.db")
            #expect(try setting("synchronous", of: journal) == 2)
            #expect(try setting("page_size", of: journal) == 16384)
            #expect(try setting("wal_autocheckpoint", of: journal) == 0)
            try await start("run_1", in: journal)
            #expect(try setting("synchronous", of: journal) == 2)
            try journal.close()
        }
    }

    @Test func `each store has a seed of its own, which stays`() async throws {
        try await withScratch { directory in
            var seeds: Set<UInt32> = []
            for name in ["a", "b", "c"] {
                var journal = try SQLiteJournal(path: directory + "/\(name).db")
                let seed = try await journal.hashSeed()
                try journal.close()
                _ = try SQLiteJournal.rewrite(path: directory + "/\(name).db")
                journal = try SQLiteJournal(path: directory + "/\(name).db")
                #expect(try await journal.hashSeed() == seed)
                try journal.close()
                seeds.insert(seed)
            }
            // Three equal ones come about once in 10^19.
            #expect(seeds.count > 1)
        }
    }

    @Test func `a new store is created with its directory, and kept over closing`() async throws {
        try await withScratch { directory in
            let path = directory + "/deep/er/a.db"
            var journal = try SQLiteJournal(path: path)
            try await start("run_1", in: journal)
            let before = try await journal.history(run: "run_1")
            try journal.close()
            try journal.close()
            #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
            journal = try SQLiteJournal(path: path)
            #expect(try await journal.history(run: "run_1") == before)
            #expect(before != nil)
            try journal.close()
        }
    }

    @Test func `what was answered is there after a crash, and its host is gone`() async throws {
        try await withScratch { directory in
            let journal = try SQLiteJournal(path: directory + "/a.db")
            _ = try await journal.heartbeat(host: "h", now: now, leaseUntil: now.adding(milliseconds: 60_000))
            for number in 1...20 { try await start("run_\(number)", in: journal) }
            let claim = try await journal.claim(
                host: "h", namespace: "main", now: now, limit: 3, only: nil)
            #expect(claim.runs.count == 3)
            try copyAsCrashed(directory + "/a.db", to: directory + "/b.db")
            let survivor = try SQLiteJournal(path: directory + "/b.db")
            let page = try await survivor.runs(RunQuery(namespace: "main"))
            #expect(page.runs.count == 20)
            let beat = try await survivor.heartbeat(
                host: "h2", now: now, leaseUntil: now.adding(milliseconds: 1))
            #expect(beat.freed == 3)
            try survivor.close()
            try journal.close()
        }
    }

    @Test func `one process at a time, and the other is named`() async throws {
        try await withScratch { directory in
            let path = directory + "/a.db"
            let journal = try SQLiteJournal(path: path)
            let holder = "process \(ProcessInfo.processInfo.processIdentifier)"
            #expect(throws: JournalError.inUse(path: path, by: holder)) {
                _ = try SQLiteJournal(path: path)
            }
            try await start("run_1", in: journal)
            try journal.close()
            try SQLiteJournal(path: path).close()
        }
    }

    @Test func `a file of the first version gets what came later`() async throws {
        try await withScratch { directory in
            let path = directory + "/a.db"
            let queue = try DatabaseQueue(path: path)
            try await queue.writeWithoutTransaction {
                try $0.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
            }
            try Schema.migrator.migrate(queue, upTo: "1 facts")
            let tables = try await queue.read {
                try String.fetchAll(
                    $0,
                    sql:
                        "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'grdb%' AND sql <> '' ORDER BY name"
                )
            }
            // Files that it made are about: it must never say anything else.
            #expect(Self.digest(tables.joined(separator: "\n")) == 6_106_230_114_496_236_296)
            try queue.close()
            let journal = try SQLiteJournal(path: path)
            try await start("run_1", in: journal)
            let seed = try await journal.hashSeed()
            try journal.close()
            let again = try SQLiteJournal(path: path)
            #expect(try await again.hashSeed() == seed)
            #expect(try await again.run(id: "run_1")?.correlationID == "c")
            try again.close()
        }
    }

    @Test func `a file of a newer version is refused`() async throws {
        try await withScratch { directory in
            let path = directory + "/a.db"
            try SQLiteJournal(path: path).close()
            let queue = try DatabaseQueue(path: path)
            try await queue.write {
                try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('9 from the future')")
            }
            try queue.close()
            #expect(throws: JournalError.newerSchema(path: path, found: "9 from the future")) {
                _ = try SQLiteJournal(path: path)
            }
        }
    }

    @Test func `what is no Perigee database is refused and left as it is`() async throws {
        try await withScratch { directory in
            let text = directory + "/text.db"
            try Data(String(repeating: "not a database ", count: 100).utf8).write(
                to: URL(fileURLWithPath: text))
            try expectRefusal(of: text) { if case .damaged(text, _) = $0 { true } else { false } }
            let short = directory + "/short.db"
            try Data("SQLite".utf8).write(to: URL(fileURLWithPath: short))
            try expectRefusal(of: short) { if case .damaged(short, _) = $0 { true } else { false } }
            let empty = directory + "/empty.db"
            try Data().write(to: URL(fileURLWithPath: empty))
            try expectRefusal(of: empty) { if case .damaged(empty, _) = $0 { true } else { false } }
            let alone = directory + "/alone.db"
            try Data(repeating: 1, count: 5000).write(to: URL(fileURLWithPath: alone + "-wal"))
            try expectRefusal(of: alone) { if case .damaged(alone, _) = $0 { true } else { false } }
            let foreign = directory + "/foreign.db"
            let queue = try DatabaseQueue(path: foreign)
            try await queue.write { try $0.execute(sql: "CREATE TABLE mine (x)") }
            try queue.close()
            try expectRefusal(of: foreign) { if case .damaged(foreign, _) = $0 { true } else { false } }
            #expect(throws: JournalError.self) { _ = try SQLiteJournal(path: directory) }
        }
    }

    @Test func `a damaged file is found after a crash and left as it is`() async throws {
        try await withScratch { directory in
            let path = directory + "/a.db"
            var journal = try SQLiteJournal(path: path)
            for number in 1...50 { try await start("run_\(number)", in: journal, input: 3000) }
            try journal.close()
            journal = try SQLiteJournal(path: path)
            try await start("run_51", in: journal)
            let copy = directory + "/b.db"
            try copyAsCrashed(path, to: copy)
            try journal.close()
            let handle = try FileHandle(forUpdating: URL(fileURLWithPath: copy))
            for page in 3..<9 {
                try handle.seek(toOffset: UInt64(page * 16384))
                try handle.write(contentsOf: Data(repeating: 0xA5, count: 200))
            }
            try handle.close()
            try expectRefusal(of: copy) { if case .damaged(copy, _) = $0 { true } else { false } }
        }
    }
}
