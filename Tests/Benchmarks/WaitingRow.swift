import Foundation
import PerigeeJournal

/// What runs cost that wait for people.
struct WaitingRow {
    let load: Workload
    /// How many of them stay in memory; `nil` for the default.
    let residentRuns: Int?

    private static let batch = 500

    private var row: Row { residentRuns == nil ? .waitingResident : .waiting }

    func measure() async throws -> [Figure] {
        let bench = try await BenchmarkHost(scripts: ["ask": ask], residentRuns: residentRuns)
        defer { bench.removeFiles() }
        _ = try await bench.start("ask", [input])
        try await bench.untilIdle()
        let before = Footprint.residentBytes
        let start = ContinuousClock.now
        for _ in 0..<load.waitingRuns / WaitingRow.batch {
            _ = try await bench.start("ask", Array(repeating: input, count: WaitingRow.batch))
        }
        try await bench.untilIdle()
        let elapsed = start.age
        let after = Footprint.residentBytes
        Footprint.trim()
        let trimmed = Footprint.residentBytes
        let idle = try await idleShare()
        try await bench.stop()
        let growth = before.flatMap { before in after.map { $0 - before } }
        let held = before.flatMap { before in trimmed.map { $0 - before } }
        return try memoryFigures(growth: growth, held: held) + [
            Figure(row, "file per waiting run", fileSize(bench.folder) / Double(load.waitingRuns), "bytes"),
            Figure(row, "started and brought to their wait", Double(load.waitingRuns) / elapsed, "/s"),
            Figure(row, "idle CPU while all wait", idle * 100, "% of a core"),
        ]
    }

    private var input: JSON { ["customer": "acme", "amount": 1200] }

    /// The part of one core that the host takes while everything waits.
    private func idleShare() async throws -> Double {
        try await Task.sleep(for: .seconds(1))
        let start = ContinuousClock.now
        let cpu = Footprint.cpuSeconds
        try await Task.sleep(for: .seconds(load.secondsPerRound * 2))
        return (Footprint.cpuSeconds - cpu) / start.age
    }

    /// - Parameters:
    ///   - growth: resident memory above that of an empty host, in bytes.
    ///   - held: the same without what the allocator only keeps for later.
    private func memoryFigures(growth: Double?, held: Double?) -> [Figure] {
        let count = Double(load.waitingRuns)
        let setting = residentRuns.map { "residentRuns \($0)" } ?? "residentRuns by default"
        let note = growth == nil ? "needs /proc/self/statm" : "\(setting), SQLite's page caches included"
        return [
            Figure(
                row, "memory per waiting run, \(load.waitingRuns) runs", growth.map { $0 / count }, "bytes",
                note: note),
            Figure(row, "memory above an empty host", growth.map { $0 / 1_048_576 }, "MiB"),
            Figure(row, "… after the allocator gave back what is free", held.map { $0 / 1_048_576 }, "MiB"),
        ]
    }

    private func fileSize(_ folder: URL) throws -> Double {
        let file = folder.appendingPathComponent("bench.db").path
        return try FileManager.default.attributesOfItem(atPath: file)[.size] as? Double ?? 0
    }
}

private let ask = """
    local decision = ask.approval("Manager approval", {
      to = { "group:managers" }, show = { { "Customer", input.customer }, { "Amount", input.amount } },
    })
    return { outcome = decision.outcome }
    """
