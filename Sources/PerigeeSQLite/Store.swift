import GRDB
import GRDBSQLite
import PerigeeJournal

/// The facts as they stand in the database: one connection, inside a transaction or a read.
///
/// Values go straight into and out of SQLite's statements: GRDB's own rows and arguments cost several times what the
/// statements themselves do.
struct Store {
    let db: Database

    typealias Value = (any ColumnValue)?

    /// Runs a statement that gives nothing; statements are prepared once per connection.
    func run(_ sql: String, _ values: [Value]) throws {
        try each(sql, values) { _ in true }
    }

    /// Inserts a row whose public id or key has to be new.
    func insert(_ sql: String, _ values: [Value], taken: @autoclosure () -> String) throws {
        do {
            try run(sql, values)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            throw JournalError.invalid("\(taken()) is taken")
        }
    }

    /// All rows of a query.
    func all<Fact>(
        _ sql: String, _ values: [Value], _ decode: (inout Columns) throws -> Fact
    ) throws -> [Fact] {
        var facts: [Fact] = []
        try each(sql, values) { row in
            facts.append(try decode(&row))
            return true
        }
        return facts
    }

    /// The first row of a query.
    func first<Fact>(
        _ sql: String, _ values: [Value], _ decode: (inout Columns) throws -> Fact
    ) throws -> Fact? {
        var fact: Fact?
        try each(sql, values) { row in
            fact = try decode(&row)
            return false
        }
        return fact
    }

    /// Goes through the rows of a statement until `body` has enough; meanwhile it must not run the same statement.
    func each(_ sql: String, _ values: [Value], _ body: (inout Columns) throws -> Bool) throws {
        let statement = try db.cachedStatement(sql: sql).sqliteStatement
        // What a failed statement says was thrown when it failed.
        defer { sqlite3_reset(statement) }
        for (index, value) in zip(Int32(1)..., values) {
            let code = value?.bind(to: statement, index) ?? sqlite3_bind_null(statement, index)
            guard code == SQLITE_OK else { throw failure(code, sql) }
        }
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_DONE: return
            case SQLITE_ROW:
                var columns = Columns(statement: statement)
                guard try body(&columns) else { return }
            case let code: throw failure(code, sql)
            }
        }
    }

    private func failure(_ code: Int32, _ sql: String) -> DatabaseError {
        let message = db.sqliteConnection.map { String(cString: sqlite3_errmsg($0)) }
        return DatabaseError(resultCode: ResultCode(rawValue: code), message: message, sql: sql)
    }
}

/// The columns of one row, taken from left to right.
struct Columns {
    let statement: OpaquePointer
    private var index: Int32 = 0

    init(statement: OpaquePointer) {
        self.statement = statement
    }

    mutating func next<Value: ColumnValue>() throws -> Value {
        guard let value: Value = try next() else {
            throw DatabaseError(
                resultCode: .SQLITE_CORRUPT, message: "column \(index) is empty and should be a \(Value.self)"
            )
        }
        return value
    }

    mutating func next<Value: ColumnValue>() throws -> Value? {
        defer { index += 1 }
        guard sqlite3_column_type(statement, index) != SQLITE_NULL else { return nil }
        return Value(column: index, of: statement)
    }

    /// Leaves out columns.
    mutating func skip(_ count: Int) {
        index += Int32(count)
    }

    mutating func time() throws -> Timestamp {
        Timestamp(milliseconds: try next())
    }

    mutating func optionalTime() throws -> Timestamp? {
        (try next() as Int64?).map(Timestamp.init(milliseconds:))
    }

    mutating func payload() throws -> Payload {
        try next()
    }

    mutating func optionalPayload() throws -> Payload? {
        try next()
    }

    mutating func address() throws -> StepAddress {
        StepAddress(path: try next(), label: try next(), occurrence: try next())
    }

    /// A list of texts that was written as ``Swift/Array/list``.
    mutating func list() throws -> [String] {
        let text: String = try next()
        return (try JSON(parsing: text.utf8)).array?.compactMap(\.string) ?? []
    }

    /// A value of a closed set, such as a status.
    mutating func choice<Choice: RawRepresentable<String>>() throws -> Choice {
        let text: String = try next()
        guard let choice = Choice(rawValue: text) else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "\"\(text)\" is not a \(Choice.self)")
        }
        return choice
    }
}

extension [String] {
    /// A JSON array of texts.
    var list: String { JSON.array(map(JSON.string)).text }
}
