import Foundation
import PerigeeJournal
import PerigeeSQLite

/// The stores that keep the same contract.
enum Backend: CaseIterable {
    case memory, sqlite

    /// Gives an empty journal of this kind to a test, and cleans up after it.
    func withJournal(_ body: (any Journal) async throws -> Void) async throws {
        switch self {
        case .memory: try await body(MemoryJournal())
        case .sqlite:
            try await withScratch { directory in
                let journal = try SQLiteJournal(path: directory + "/perigee.db")
                try await body(journal)
                try journal.close()
            }
        }
    }
}

/// Gives a test a directory of its own, and removes it afterwards.
func withScratch<Answer>(_ body: (String) async throws -> Answer) async throws -> Answer {
    let directory = FileManager.default.temporaryDirectory.path + "/perigee-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    return try await body(directory)
}
