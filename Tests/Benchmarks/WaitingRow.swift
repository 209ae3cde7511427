import Foundation
import Perigee
import PerigeeJournal

/// What runs cost that wait for people.
struct WaitingRow {
    let load: Workload
    /// How many of them stay in memory; `nil` for the default.
    let residentRuns: Int?

    private var row: Row { residentRuns == nil ? .waitingResident : .waiting }

    func measure() async throws -> [Figure] {
        let bench = try await BenchmarkHost(scripts: ["ask": BenchmarkSteps.ask]) {
            if let residentRuns { $0.residentRuns = residentRuns }
        }
        defer { bench.removeFiles() }
        _ = try await bench.start("ask", [input])
        try await bench.untilIdle()
        let before = Footprint.residentBytes
        let start = ContinuousClock.now
        try await bench.start("ask", count: load.waitingRuns, input: input)
        try await bench.untilIdle()
        let elapsed = start.age
        let after = Footprint.residentBytes
        let idle = try await idleShare()
        let afterIdling = Footprint.residentBytes
        try await bench.stop()
        let size = try bench.fileSize()
        let growth = before.flatMap { before in after.map { $0 - before } }
        let held = before.flatMap { before in afterIdling.map { $0 - before } }
        return memoryFigures(growth: growth, held: held) + [
            Figure(row, "file per waiting run", size / Double(load.waitingRuns), "bytes"),
            Figure(row, "started and brought to their wait", Double(load.waitingRuns) / elapsed, "/s"),
            Figure(row, "idle CPU while all wait", idle * 100, "% of a core"),
        ]
    }

    private var input: JSON { ["customer": "acme", "amount": 1200] }

    /// The part of one core that the host takes while everything waits.
    private func idleShare() async throws -> Double {
        // After a second without work it gives memory back, and jemalloc what nobody took for ten.
        try await Task.sleep(for: .seconds(15))
        let start = ContinuousClock.now
        let cpu = Footprint.cpuSeconds
        try await Task.sleep(for: .seconds(load.secondsPerRound * 2))
        return (Footprint.cpuSeconds - cpu) / start.age
    }

    /// - Parameters:
    ///   - growth: resident memory above that of an empty host, in bytes.
    ///   - held: the same once the host has been idle for 15 seconds.
    private func memoryFigures(growth: Double?, held: Double?) -> [Figure] {
        let count = Double(load.waitingRuns)
        let setting = residentRuns.map { "residentRuns \($0)" } ?? "residentRuns by default"
        let note = growth == nil ? "needs /proc/self/statm" : "\(setting), SQLite's page caches included"
        return [
            Figure(
                row, "memory per waiting run, \(load.waitingRuns) runs", growth.map { $0 / count }, "bytes",
                note: note),
            Figure(row, "memory above an empty host", growth.map { $0 / 1_048_576 }, "MiB"),
            Figure(row, "… after 15 idle seconds", held.map { $0 / 1_048_576 }, "MiB"),
        ]
    }
}
