import Foundation
import Perigee
import PerigeeJournal

/// What the removal of old runs costs those who come meanwhile.
struct RetentionRow {
    let load: Workload

    private static let inFlight = 256
    private static let keptMilliseconds: Int64 = 5000

    private struct Round {
        var workflows: Double
        var removed: Double
        var p99: Double
    }

    func measure() async throws -> [Figure] {
        let count = load.storedRuns.prefix(2).max() ?? 0
        let kept = try await store(count)
        let removed = try await store(count)
        defer { for folder in [kept, removed] { try? FileManager.default.removeItem(at: folder) } }
        var (alone, beside): ([Round], [Round]) = ([], [])
        // They take turns, so that a bad minute of the disk hits both alike.
        for _ in 0..<load.rounds {
            alone.append(try await round(kept, keep: .forever))
            beside.append(try await round(removed, keep: .milliseconds(RetentionRow.keptMilliseconds)))
        }
        return [
            Figure(
                .retention, "three-step workflows, \(count) old runs are kept",
                rounds: alone.map(\.workflows), "/s"),
            Figure(.retention, "… p99", rounds: alone.map { $0.p99 * 1000 }, "ms"),
            Figure(
                .retention, "three-step workflows, old runs are removed", rounds: beside.map(\.workflows),
                "/s"),
            Figure(
                .retention, "… ÷ old runs are kept",
                rounds: zip(beside, alone).map { $0.workflows / $1.workflows }, "×"),
            Figure(.retention, "… p99", rounds: beside.map { $0.p99 * 1000 }, "ms"),
            Figure(.retention, "… removed meanwhile", rounds: beside.map(\.removed), "runs/s"),
        ]
    }

    /// The folder of a store with so many finished runs.
    private func store(_ count: Int) async throws -> URL {
        let seed = try await BenchmarkHost(scripts: ["three_steps": BenchmarkSteps.threeSteps])
        try await seed.start("three_steps", count: 500, input: BenchmarkSteps.input)
        try await seed.untilIdle()
        try await seed.stop()
        try StoreFilling(folder: seed.folder).fill(to: count)
        try await Task.sleep(for: .milliseconds(RetentionRow.keptMilliseconds))
        return seed.folder
    }

    private func round(_ folder: URL, keep: Keep) async throws -> Round {
        let filling = StoreFilling(folder: folder)
        let before = try filling.runs()
        let bench = try await BenchmarkHost(
            scripts: ["three_steps": BenchmarkSteps.threeSteps], folder: folder
        ) { $0.keep = keep }
        let start = ContinuousClock.now
        let loop = ClosedLoop(bench: bench, workflow: "three_steps", inFlight: RetentionRow.inFlight)
        let round = try await loop.measure(seconds: load.secondsPerRound)
        try await bench.untilIdle()
        let seconds = start.age
        try await bench.stop()
        let after = try filling.runs()
        let removed = after.newest - before.newest - (after.count - before.count)
        return Round(
            workflows: round.perSecond, removed: Double(removed) / seconds,
            p99: round.latencies.percentile(0.99))
    }
}
