import Foundation
import GRDBSQLite

/// What the disk and SQLite do by themselves: figures of the host mean something beside these, in the same minutes.
struct Yardsticks {
    let folder: URL

    /// Appends of 4 KiB, each made durable, per second.
    func appendsPerSecond(seconds: Double) throws -> Double {
        let path = folder.appendingPathComponent("append").path
        let file = open(path, O_CREAT | O_WRONLY | O_APPEND, 0o600)
        guard file >= 0 else {
            throw BenchmarkError("\(path) can't be written (errno \(errno)); set PERIGEE_BENCH_DIR.")
        }
        defer {
            close(file)
            unlink(path)
        }
        let block = [UInt8](repeating: 7, count: 4096)
        return try Yardsticks.perSecond(seconds) {
            guard write(file, block, block.count) == block.count, Yardsticks.sync(file) == 0 else {
                throw BenchmarkError("\(path) can't be written (errno \(errno)).")
            }
        }
    }

    private static func sync(_ file: Int32) -> Int32 {
        #if os(Linux)
            fdatasync(file)
        #else
            fsync(file)
        #endif
    }

    /// Transactions of one row of 200 bytes by SQLite's C interface, `synchronous = FULL`, per second.
    func transactionsPerSecond(seconds: Double) throws -> Double {
        let path = folder.appendingPathComponent("yardstick-\(UUID().uuidString).db").path
        var database: OpaquePointer?
        guard sqlite3_open(path, &database) == SQLITE_OK else {
            throw BenchmarkError("SQLite can't open \(path).")
        }
        defer {
            sqlite3_close(database)
            unlink(path)
        }
        try Yardsticks.execute(
            "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", database)
        try Yardsticks.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, data BLOB NOT NULL)", database)
        var insert: OpaquePointer?
        sqlite3_prepare_v2(database, "INSERT INTO entry (data) VALUES (zeroblob(200))", -1, &insert, nil)
        defer { sqlite3_finalize(insert) }
        return try Yardsticks.perSecond(seconds) {
            // A statement outside of BEGIN and COMMIT is a transaction by itself.
            guard sqlite3_step(insert) == SQLITE_DONE, sqlite3_reset(insert) == SQLITE_OK else {
                throw BenchmarkError(String(cString: sqlite3_errmsg(database)))
            }
        }
    }

    private static func execute(_ sql: String, _ database: OpaquePointer?) throws {
        guard sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK else {
            throw BenchmarkError(String(cString: sqlite3_errmsg(database)))
        }
    }

    private static func perSecond(_ seconds: Double, _ body: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        var count = 0
        while start.age < seconds {
            try body()
            count += 1
        }
        return Double(count) / start.age
    }
}
