import Foundation
import GRDBSQLite

/// The least that SQLite can do for workflows of three steps: five strictly durable rounds (start, three steps, end) by
/// its C interface alone, and each transaction carries one round of all workflows in flight, up to 512.
final class RoundLoop {
    private static let largestBatch = 512
    private static let schema = """
        CREATE TABLE runs (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, workflow TEXT NOT NULL, status TEXT NOT NULL,
            input BLOB NOT NULL
        ) STRICT;
        CREATE TABLE entries (
            id INTEGER PRIMARY KEY, run INTEGER NOT NULL, sequence INTEGER NOT NULL, data BLOB NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX entries_by_run ON entries (run, sequence)
        """

    private let database: DirectDatabase
    private let begin: DirectStatement
    private let commit: DirectStatement
    private let start: DirectStatement
    private let step: DirectStatement
    private let end: DirectStatement
    private var runs: Int64 = 0

    /// - Parameter folder: where its database is made, which is removed with it.
    init(folder: URL) throws {
        let path = folder.appendingPathComponent("rounds-\(UUID().uuidString).db").path
        database = try DirectDatabase(path: path, isTemporary: true)
        try database.execute(RoundLoop.schema)
        try database.growLog()
        begin = try database.prepare("BEGIN IMMEDIATE")
        commit = try database.prepare("COMMIT")
        // The ids have the length of real ones and their order: that of time.
        start = try database.prepare(
            """
            INSERT INTO runs VALUES (?1, printf('run_0000%022d', ?1), 'three_steps', 'running', ?2)
            """)
        step = try database.prepare("INSERT INTO entries (run, sequence, data) VALUES (?1, ?2, ?3)")
        let payload = (0..<100).map { UInt8($0) }
        start.keep(payload, at: 2)
        step.keep(payload, at: 3)
        end = try database.prepare("UPDATE runs SET status = 'completed' WHERE number = ?1")
    }

    /// Workflows per second, and the time from the start of each to its end.
    func measure(inFlight: Int, seconds: Double) throws -> (perSecond: Double, latencies: [Double]) {
        let groups = (inFlight + RoundLoop.largestBatch - 1) / RoundLoop.largestBatch
        let size = inFlight / groups
        let begun = ContinuousClock.now
        var latencies: [Double] = []
        while begun.age < seconds {
            let start = ContinuousClock.now
            let first = (0..<groups).map { runs + Int64($0 * size) + 1 }
            for round in 0...4 {
                for number in first { try perform(round, number..<number + Int64(size)) }
            }
            runs += Int64(groups * size)
            latencies += Array(repeating: start.age, count: groups * size)
        }
        return (Double(latencies.count) / begun.age, latencies)
    }

    /// Throws unless every workflow is stored whole: a yardstick that leaves work out is none.
    func check() throws {
        let found = try [
            "SELECT COUNT(*) FROM runs WHERE status = 'completed' AND length(input) = 100",
            "SELECT COUNT(*) FROM entries WHERE sequence BETWEEN 1 AND 3 AND length(data) = 100",
        ].map { try database.texts($0).first.flatMap { Int64($0) } }
        guard found == [runs, 3 * runs] else {
            throw BenchmarkError("The C loop made \(runs) workflows, and its database has \(found).")
        }
    }

    /// One durable transaction.
    private func perform(_ round: Int, _ numbers: Range<Int64>) throws {
        try begin.run()
        for number in numbers {
            switch round {
            case 0: try start.run(number)
            case 4: try end.run(number)
            default: try step.run(number, Int64(round))
            }
        }
        try commit.run()
    }
}
