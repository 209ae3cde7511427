import Foundation

/// What the disk and SQLite do by themselves: figures of the host mean something beside these, in the same minutes.
struct Yardsticks {
    private let folder: URL
    private let insert: DirectStatement

    /// - Parameter folder: where their files are made, which are removed with them.
    init(folder: URL) throws {
        self.folder = folder
        let path = folder.appendingPathComponent("yardstick-\(UUID().uuidString).db").path
        let database = try DirectDatabase(path: path, isTemporary: true)
        try database.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, data BLOB NOT NULL)")
        try database.growLog()
        insert = try database.prepare("INSERT INTO entry (data) VALUES (zeroblob(200))")
    }

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
        // A statement outside of BEGIN and COMMIT is a transaction by itself.
        try Yardsticks.perSecond(seconds) { try insert.run() }
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
