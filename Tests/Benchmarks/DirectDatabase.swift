import Foundation
import GRDBSQLite

/// SQLite by its C interface, set as the store sets it: WAL, `synchronous = FULL`, pages of 16 KiB.
final class DirectDatabase {
    private static let pageBytes = 16_384
    private static let logPages = 4000

    private let handle: OpaquePointer
    private let path: String
    private let isTemporary: Bool

    /// - Parameters:
    ///   - path: the file; it is made if there is none.
    ///   - isTemporary: whether the file goes with this object.
    init(path: String, isTemporary: Bool = false) throws {
        var handle: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
        guard sqlite3_open_v2(path, &handle, flags, nil) == SQLITE_OK, let handle else {
            sqlite3_close(handle)
            throw BenchmarkError("SQLite can't open \(path); set PERIGEE_BENCH_DIR.")
        }
        self.handle = handle
        self.path = path
        self.isTemporary = isTemporary
        try execute(
            """
            PRAGMA page_size = \(DirectDatabase.pageBytes); PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            PRAGMA wal_autocheckpoint = \(DirectDatabase.logPages); PRAGMA cache_size = -65536
            """)
    }

    deinit {
        sqlite3_close_v2(handle)
        guard isTemporary else { return }
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
    }

    func execute(_ sql: String) throws {
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw failure }
    }

    /// Brings the write-ahead log to the length at which it is copied and begun anew: before that each commit has to
    /// make the file longer, too, which a store at work has behind it.
    func growLog() throws {
        try execute("CREATE TABLE filling (data BLOB NOT NULL)")
        try execute(
            "INSERT INTO filling VALUES (zeroblob(\(DirectDatabase.logPages * DirectDatabase.pageBytes)))")
        try execute("DROP TABLE filling")
    }

    func prepare(_ sql: String) throws -> DirectStatement {
        var statement: OpaquePointer?
        guard
            sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
                == SQLITE_OK,
            let statement
        else { throw failure }
        return DirectStatement(statement, self)
    }

    /// The values of a query's first column.
    func texts(_ sql: String) throws -> [String] {
        let statement = try prepare(sql)
        var found: [String] = []
        while try statement.step(), let text = statement.text { found.append(text) }
        return found
    }

    fileprivate var failure: BenchmarkError {
        BenchmarkError("SQLite: \(String(cString: sqlite3_errmsg(handle)))")
    }
}

/// A statement that is run again and again.
final class DirectStatement {
    private let handle: OpaquePointer
    private let database: DirectDatabase

    fileprivate init(_ handle: OpaquePointer, _ database: DirectDatabase) {
        self.handle = handle
        self.database = database
    }

    deinit { sqlite3_finalize(handle) }

    /// Gives a parameter bytes, which it keeps for all runs.
    func keep(_ bytes: [UInt8], at parameter: Int32) {
        // SQLite copies the bytes; Swift does not see the C macro that says so.
        let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        sqlite3_bind_blob(handle, parameter, bytes, Int32(bytes.count), copied)
    }

    /// Runs it to its end with these values.
    func run(_ first: Int64? = nil, _ second: Int64? = nil) throws {
        if let first { sqlite3_bind_int64(handle, 1, first) }
        if let second { sqlite3_bind_int64(handle, 2, second) }
        guard try !step(), sqlite3_reset(handle) == SQLITE_OK else { throw database.failure }
    }

    /// Whether there is one more row.
    func step() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: true
        case SQLITE_DONE: false
        default: throw database.failure
        }
    }

    /// The first column of this row.
    var text: String? { sqlite3_column_text(handle, 0).map { String(cString: $0) } }
}
