import Foundation
import PerigeeJournal

/// Whole workflows of three steps that need nobody else, started and awaited through the host's own interface.
struct WorkflowRow {
    let load: Workload

    private static let inFlight = [1, 16, 256]

    private struct Round {
        var perSecond: Double
        var commitsPerSecond: Double
        var latencies: [Double]
    }

    func measure() async throws -> [Figure] {
        let bench = try await BenchmarkHost(scripts: ["three_steps": threeSteps])
        defer { bench.removeFiles() }
        for id in try await bench.start("three_steps") { try await bench.end(id) }
        let yardsticks = Yardsticks(folder: bench.folder)
        var appends: [Double] = []
        var transactions: [Double] = []
        var rounds: [Int: [Round]] = [:]
        // The yardsticks stand between the rounds, so that a bad minute of the disk hits all alike.
        for _ in 0..<load.rounds {
            appends.append(try yardsticks.appendsPerSecond(seconds: load.secondsPerRound / 4))
            transactions.append(try yardsticks.transactionsPerSecond(seconds: load.secondsPerRound / 4))
            for count in WorkflowRow.inFlight {
                rounds[count, default: []].append(try await round(bench, inFlight: count))
            }
        }
        try await bench.stop()
        return figures(rounds, appends: appends.median, transactions: transactions.median)
    }

    private func figures(_ rounds: [Int: [Round]], appends: Double, transactions: Double) -> [Figure] {
        var figures = [
            Figure(.workflows, "yardstick: append 4 KiB + fdatasync", appends, "/s"),
            Figure(.workflows, "yardstick: bare SQLite transactions, FULL", transactions, "/s"),
        ]
        for count in WorkflowRow.inFlight {
            let rounds = rounds[count] ?? []
            let perSecond = rounds.map(\.perSecond).median
            figures += [
                Figure(.workflows, "workflows, \(count) in flight", perSecond, "/s"),
                Figure(
                    .workflows, "durable commits, \(count) in flight", rounds.map(\.commitsPerSecond).median,
                    "/s"),
                Figure(
                    .workflows, "workflows ÷ bare transactions, \(count) in flight", perSecond / transactions,
                    "×"),
            ]
        }
        let alone = (rounds[1] ?? []).flatMap(\.latencies)
        figures += [
            Figure(.workflows, "one workflow at a time, p50", alone.median * 1000, "ms"),
            Figure(.workflows, "one workflow at a time, p99", alone.percentile(0.99) * 1000, "ms"),
        ]
        return figures
    }

    /// Keeps so many workflows in flight for a while.
    private func round(_ bench: BenchmarkHost, inFlight: Int) async throws -> Round {
        let start = ContinuousClock.now
        let commits = bench.commitCount
        let seconds = load.secondsPerRound
        let latencies = try await withThrowingTaskGroup(of: [Double].self) { group in
            for _ in 0..<inFlight {
                group.addTask {
                    var latencies: [Double] = []
                    while start.age < seconds {
                        let begun = ContinuousClock.now
                        for id in try await bench.start("three_steps") { try await bench.end(id) }
                        latencies.append(begun.age)
                    }
                    return latencies
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let elapsed = start.age
        return Round(
            perSecond: Double(latencies.count) / elapsed,
            commitsPerSecond: Double(bench.commitCount - commits) / elapsed, latencies: latencies)
    }
}

private let threeSteps = """
    emit("bench.one", { number = 1 })
    emit("bench.two", { number = 2 })
    emit("bench.three", { number = 3 })
    return { done = true }
    """
