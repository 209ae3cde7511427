import Foundation

/// Fills a store with finished runs faster than a host runs them: by copies of runs that a host did run.
struct StoreFilling {
    /// The folder of a host that is stopped.
    let folder: URL

    /// Copies, in one transaction, at most this many runs.
    private static let copiedAtOnce = 50_000

    /// Copies the runs that are there, all of them finished, until there are this many.
    func fill(to count: Int) throws {
        let database = try DirectDatabase(path: BenchmarkHost.database(in: folder))
        // A crash of the machine in this minute costs nothing but the minute.
        try database.execute("PRAGMA synchronous = OFF")
        let (present, stride) = try StoreFilling.runs(database)
        guard present > 0 else { throw BenchmarkError("There is no run to copy in \(folder.path).") }
        let tables = try database.texts(
            """
            SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
            WHERE t.type = 'table' AND c.name = 'run' ORDER BY t.name
            """)
        let copies = count / present - 1
        let atOnce = max(1, StoreFilling.copiedAtOnce / present)
        for first in Swift.stride(from: 1, through: copies, by: atOnce) {
            let last = min(copies, first + atOnce - 1)
            let range =
                "WITH RECURSIVE k (k) AS (SELECT \(first) UNION ALL SELECT k + 1 FROM k WHERE k < \(last))"
            try database.execute("BEGIN IMMEDIATE")
            for table in ["runs"] + tables {
                let (names, values) = try columns(of: table, stride: stride, database)
                let run = table == "runs" ? "number" : "run"
                try database.execute(
                    """
                    \(range) INSERT INTO \(table) (\(names)) SELECT \(values) FROM k CROSS JOIN \(table)
                    WHERE \(run) <= \(stride) ORDER BY k.k, \(run)
                    """)
            }
            try database.execute("COMMIT")
        }
        try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// The columns that are copied, and what stands in the copy: numbers and ids of its own, and the rest as it is.
    private func columns(
        of table: String, stride: Int, _ database: DirectDatabase
    ) throws -> (names: String, values: String) {
        // A key of whole numbers that is not the run's is given by SQLite.
        let names = try database.texts(
            """
            SELECT name FROM pragma_table_info('\(table)')
            WHERE NOT (pk = 1 AND type = 'INTEGER' AND name NOT IN ('run', 'number'))
            """)
        let values = names.map { name in
            switch (table, name) {
            case ("runs", "number"), (_, "run"): "\(name) + k.k * \(stride)"
            case ("runs", "id"): "substr(id, 1, length(id) - 12) || printf('%012x', number + k.k * \(stride))"
            default: name
            }
        }
        return (names.joined(separator: ", "), values.joined(separator: ", "))
    }

    /// How many runs are stored, and the number of the newest, which tells how many there ever were.
    func runs() throws -> (count: Int, newest: Int) {
        try StoreFilling.runs(DirectDatabase(path: BenchmarkHost.database(in: folder)))
    }

    private static func runs(_ database: DirectDatabase) throws -> (count: Int, newest: Int) {
        let found = try ["COUNT(*)", "MAX(number)"].map { value in
            try database.texts("SELECT \(value) FROM runs").first.flatMap { Int($0) } ?? 0
        }
        return (found[0], found[1])
    }
}
