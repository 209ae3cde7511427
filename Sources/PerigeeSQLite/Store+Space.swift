import Foundation
import GRDB
import PerigeeJournal

extension Store {
    /// What the database takes, by its path.
    func space(of path: String) throws -> StoreSpace {
        let page = try number("page_size")
        let free = try number("freelist_count")
        return StoreSpace(
            file: try StoreFile.fileSize(path), log: try StoreFile.fileSize(path + "-wal"),
            used: (try number("page_count") - free) * page, free: free * page,
            givesBack: try number("auto_vacuum") == 2)
    }

    /// Moves pages from the end of the file into free ones, so that it can be cut off there when the log is copied.
    func giveBack(bytes: Int) throws {
        let pages = max(1, bytes / (try number("page_size")))
        try db.execute(sql: "PRAGMA incremental_vacuum(\(pages))")
        // SQLite counts no change then, and it is a transaction that is to reach the disk like others.
        try run("UPDATE probe SET writes = writes + 1", [])
    }

    private func number(_ pragma: String) throws -> Int {
        try Int.fetchOne(db, sql: "PRAGMA \(pragma)") ?? 0
    }
}
