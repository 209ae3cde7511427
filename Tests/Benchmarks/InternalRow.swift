import Foundation
import PerigeeJournal

/// Whole workflows that need nobody else: nothing of them has to be durable before their end.
struct InternalRow {
    let load: Workload

    private static let inFlight = [1, 16, 256, 1000]

    func measure() async throws -> [Figure] {
        let bench = try await BenchmarkHost(scripts: ["decide": decide, "three_emits": threeEmits])
        defer { bench.removeFiles() }
        let yardsticks = try Yardsticks(folder: bench.folder)
        // The log of the host's store, too, has its full length before the first round.
        _ = try await ClosedLoop(bench: bench, workflow: "decide", inFlight: 256)
            .measure(seconds: load.secondsPerRound)
        var transactions: [Double] = []
        var rounds: [String: [Int: [ClosedLoop.Round]]] = [:]
        // The yardstick stands between the rounds, so that a bad minute of the disk hits all alike.
        for _ in 0..<load.rounds {
            transactions.append(try yardsticks.transactionsPerSecond(seconds: load.secondsPerRound / 4))
            for workflow in ["decide", "three_emits"] {
                for count in InternalRow.inFlight {
                    let loop = ClosedLoop(bench: bench, workflow: workflow, inFlight: count)
                    rounds[workflow, default: [:]][count, default: []].append(
                        try await loop.measure(seconds: load.secondsPerRound))
                }
            }
        }
        try await bench.stop()
        return [
            Figure(
                .internal, "yardstick: bare SQLite transactions of one row, FULL", rounds: transactions, "/s")
        ] + figures("decision with a state and a tag", rounds["decide"] ?? [:], transactions)
            + figures("three emits", rounds["three_emits"] ?? [:], transactions)
    }

    private func figures(
        _ name: String, _ rounds: [Int: [ClosedLoop.Round]], _ transactions: [Double]
    ) -> [Figure] {
        InternalRow.inFlight.flatMap { count in
            let rounds = rounds[count] ?? []
            let ratios = zip(rounds, transactions).map { $0.perSecond / $1 }
            return [
                Figure(.internal, "\(name), \(count) in flight", rounds: rounds.map(\.perSecond), "/s"),
                Figure(.internal, "… ÷ bare transactions", rounds: ratios, "×"),
                Figure(
                    .internal, "… durable commits per workflow",
                    rounds: rounds.map { $0.commitsPerSecond / max($0.perSecond, 1e-9) }, ""),
                Figure(
                    .internal, "… written per workflow", rounds: rounds.compactMap(\.bytesPerWorkflow),
                    "bytes"),
                Figure(
                    .internal, "… CPU time per workflow, client included",
                    rounds: rounds.map(\.cpuMicroseconds), "µs"),
                Figure(
                    .internal, "… p50", rounds: rounds.map { $0.latencies.median * 1000 }, "ms"),
                Figure(
                    .internal, "… p99", rounds: rounds.map { $0.latencies.percentile(0.99) * 1000 }, "ms"),
            ]
        }
    }
}

/// What the rows `internal` and `counts` run.
let decide = """
    local size = input.amount > 1000 and "large" or "small"
    flow.tag { size = size }
    flow.status("Sorted as " .. size)
    flow.state.set("last:" .. size, { order = input.order, amount = input.amount })
    return { size = size }
    """

private let threeEmits = """
    emit("bench.one", { number = 1 })
    emit("bench.two", { number = 2 })
    emit("bench.three", { number = 3 })
    return { done = true }
    """
