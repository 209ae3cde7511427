import Foundation
import Perigee
import PerigeeJournal

/// How fast a run that left the memory comes back: its record is read, and its script is run through all of it.
struct ReplayRow {
    let load: Workload

    /// So many runs are woken at once for the throughput.
    private static let together = 16

    func measure() async throws -> [Figure] {
        let bench = try await BenchmarkHost(scripts: ["long": long]) {
            $0.residentRuns = 0
            $0.shards = 1
        }
        defer { bench.removeFiles() }
        let steps = load.replayedSteps
        _ = try await wake(bench, runs: 1, steps: steps)
        var empty: [Double] = []
        var full: [Double] = []
        var many: [Double] = []
        for _ in 0..<load.rounds {
            empty.append(try await wake(bench, runs: 1, steps: 0))
            full.append(try await wake(bench, runs: 1, steps: steps))
            many.append(try await wake(bench, runs: ReplayRow.together, steps: steps))
        }
        try await bench.stop()
        let entries = Double(steps * ReplayRow.together)
        let waking = empty.median
        let replay = full.map { $0 - waking }.filter { $0 > 0 }
        return [
            Figure(.replay, "woken to completed, run without steps", rounds: empty.map { $0 * 1000 }, "ms"),
            Figure(
                .replay, "woken to completed, run of \(steps) steps", rounds: full.map { $0 * 1000 }, "ms"),
            Figure(
                .replay, "replay of one run",
                rounds: replay.map { Double(steps) / $0 }, "entries/s",
                note: "one shard; reading the record included, waking not"),
            Figure(
                .replay, "replay of \(ReplayRow.together) runs at once", rounds: many.map { entries / $0 },
                "entries/s",
                note: "one shard; waking and completing included"),
        ]
    }

    /// Brings runs to their wait, wakes all by one event, and gives the seconds until the last has completed.
    private func wake(_ bench: BenchmarkHost, runs: Int, steps: Int) async throws -> Double {
        let round = UUID().uuidString
        let input: JSON = ["steps": .int(Int64(steps)), "round": .string(round)]
        let ids = try await bench.start("long", Array(repeating: input, count: runs))
        try await bench.untilIdle()
        let start = ContinuousClock.now
        for receipt in try await bench.host.send([NewEvent(type: "bench.go", data: ["round": .string(round)])]
        ) {
            _ = try receipt.get()
        }
        for id in ids { try await bench.end(id) }
        return start.age
    }
}

private let long = """
    for number = 1, input.steps do
      emit("bench.step", { number = number, name = "a step with a few fields", ok = true })
    end
    wait.event("Go", { event = "bench.go", match = { round = input.round } })
    return { done = true }
    """
