import Foundation
import GRDB
import PerigeeJournal

/// The facts as they stand in the database: one connection, inside a transaction or a read.
struct Store {
    let db: Database

    typealias Value = (any DatabaseValueConvertible)?

    /// Runs a statement that gives nothing; statements are prepared once per connection.
    func run(_ sql: String, _ values: [Value]) throws {
        try db.cachedStatement(sql: sql).execute(arguments: StatementArguments(values))
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
        let rows = try Row.fetchCursor(
            try db.cachedStatement(sql: sql), arguments: StatementArguments(values))
        var facts: [Fact] = []
        while let row = try rows.next() {
            var columns = Columns(row: row)
            facts.append(try decode(&columns))
        }
        return facts
    }

    /// The first row of a query.
    func first<Fact>(
        _ sql: String, _ values: [Value], _ decode: (inout Columns) throws -> Fact
    ) throws -> Fact? {
        let rows = try Row.fetchCursor(
            try db.cachedStatement(sql: sql), arguments: StatementArguments(values))
        guard let row = try rows.next() else { return nil }
        var columns = Columns(row: row)
        return try decode(&columns)
    }
}

/// The columns of one row, taken from left to right.
struct Columns {
    private let row: Row
    private var index = 0

    init(row: Row) {
        self.row = row
    }

    mutating func next<Value: DatabaseValueConvertible & StatementColumnConvertible>() throws -> Value {
        defer { index += 1 }
        return try row.decode(Value.self, atIndex: index)
    }

    /// Leaves out columns.
    mutating func skip(_ count: Int) {
        index += count
    }

    mutating func time() throws -> Timestamp {
        Timestamp(milliseconds: try next())
    }

    mutating func optionalTime() throws -> Timestamp? {
        (try next() as Int64?).map(Timestamp.init(milliseconds:))
    }

    mutating func payload() throws -> Payload {
        Payload(try next() as Data)
    }

    mutating func optionalPayload() throws -> Payload? {
        (try next() as Data?).map { Payload($0) }
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

extension Payload {
    var blob: Data { Data(self) }
}

extension [String] {
    /// A JSON array of texts.
    var list: String { JSON.array(map(JSON.string)).text }
}
