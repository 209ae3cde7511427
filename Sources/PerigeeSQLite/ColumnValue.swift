import GRDBSQLite

/// What can stand in a column, `NULL` apart.
protocol ColumnValue {
    /// Gives a statement this value for the parameter with the number `index`, from 1; what SQLite answers.
    func bind(to statement: OpaquePointer, _ index: Int32) -> Int32

    /// Takes the value of a column, from 0, that is not `NULL`.
    init(column: Int32, of statement: OpaquePointer)
}

extension Int64: ColumnValue {
    func bind(to statement: OpaquePointer, _ index: Int32) -> Int32 {
        sqlite3_bind_int64(statement, index, self)
    }

    init(column: Int32, of statement: OpaquePointer) {
        self = sqlite3_column_int64(statement, column)
    }
}

extension Int: ColumnValue {
    func bind(to statement: OpaquePointer, _ index: Int32) -> Int32 {
        sqlite3_bind_int64(statement, index, Int64(self))
    }

    init(column: Int32, of statement: OpaquePointer) {
        self = Int(sqlite3_column_int64(statement, column))
    }
}

extension Bool: ColumnValue {
    func bind(to statement: OpaquePointer, _ index: Int32) -> Int32 {
        sqlite3_bind_int64(statement, index, self ? 1 : 0)
    }

    init(column: Int32, of statement: OpaquePointer) {
        self = sqlite3_column_int64(statement, column) != 0
    }
}

extension String: ColumnValue {
    func bind(to statement: OpaquePointer, _ index: Int32) -> Int32 {
        var text = self
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                // Without an address it would be NULL.
                guard let start = characters.baseAddress else {
                    return sqlite3_bind_text(statement, index, "", 0, copying)
                }
                return sqlite3_bind_text64(
                    statement, index, start, UInt64(characters.count), copying, UInt8(SQLITE_UTF8))
            }
        }
    }

    init(column: Int32, of statement: OpaquePointer) {
        let start = sqlite3_column_text(statement, column)
        let count = Int(sqlite3_column_bytes(statement, column))
        self.init(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }
}

/// A blob.
extension [UInt8]: ColumnValue {
    func bind(to statement: OpaquePointer, _ index: Int32) -> Int32 {
        withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress, !bytes.isEmpty else {
                return sqlite3_bind_zeroblob(statement, index, 0)
            }
            return sqlite3_bind_blob64(statement, index, start, UInt64(bytes.count), copying)
        }
    }

    init(column: Int32, of statement: OpaquePointer) {
        let start = sqlite3_column_blob(statement, column)
        let count = Int(sqlite3_column_bytes(statement, column))
        self.init(UnsafeRawBufferPointer(start: start, count: count))
    }
}

/// SQLite keeps a copy, as the value may be gone when the statement runs (`SQLITE_TRANSIENT`).
private let copying = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
