import Foundation

/// Workflows of three durable steps, beside the same durable rounds by a bare loop on SQLite.
struct StepsRow {
    let load: Workload

    private static let inFlight = [1, 16, 256, 1000]

    private struct Rounds {
        var host: [ClosedLoop.Round] = []
        var loop: [(perSecond: Double, latencies: [Double])] = []
    }

    func measure() async throws -> [Figure] {
        let bench = try await BenchmarkHost(scripts: ["three_steps": BenchmarkSteps.threeSteps])
        defer { bench.removeFiles() }
        let yardsticks = try Yardsticks(folder: bench.folder)
        let loop = try RoundLoop(folder: bench.folder)
        // The log of the host's store, too, has its full length before the first round.
        _ = try await ClosedLoop(bench: bench, workflow: "three_steps", inFlight: 256)
            .measure(seconds: load.secondsPerRound)
        var appends: [Double] = []
        var transactions: [Double] = []
        var rounds: [Int: Rounds] = [:]
        // The yardsticks stand between the rounds, so that a bad minute of the disk hits all alike.
        for _ in 0..<load.rounds {
            appends.append(try yardsticks.appendsPerSecond(seconds: load.secondsPerRound / 4))
            transactions.append(try yardsticks.transactionsPerSecond(seconds: load.secondsPerRound / 4))
            for count in StepsRow.inFlight {
                rounds[count, default: Rounds()].loop.append(
                    try loop.measure(inFlight: count, seconds: load.secondsPerRound))
                rounds[count, default: Rounds()].host.append(
                    try await ClosedLoop(bench: bench, workflow: "three_steps", inFlight: count)
                        .measure(seconds: load.secondsPerRound))
            }
        }
        try loop.check()
        try await bench.stop()
        return [
            Figure(.steps, "yardstick: append 4 KiB + fdatasync", rounds: appends, "/s"),
            Figure(
                .steps, "yardstick: bare SQLite transactions of one row, FULL", rounds: transactions, "/s"),
        ] + StepsRow.inFlight.flatMap { count in figures(rounds[count] ?? Rounds(), inFlight: count) }
    }

    private func figures(_ rounds: Rounds, inFlight: Int) -> [Figure] {
        let place = "\(inFlight) in flight"
        let ratios = zip(rounds.host, rounds.loop).map { $0.perSecond / $1.perSecond }
        let written = rounds.host.compactMap(\.bytesPerWorkflow)
        return [
            Figure(
                .steps, "yardstick: C loop of five durable rounds, \(place)",
                rounds: rounds.loop.map(\.perSecond), "/s"),
            Figure(.steps, "three-step workflows, \(place)", rounds: rounds.host.map(\.perSecond), "/s"),
            Figure(.steps, "… ÷ C loop", rounds: ratios, "×"),
            Figure(.steps, "… durable commits", rounds: rounds.host.map(\.commitsPerSecond), "/s"),
            Figure(
                .steps, "… written per workflow", rounds: written, "bytes",
                note: written.isEmpty ? "needs /proc/self/io" : nil),
            Figure(
                .steps, "… CPU time per workflow, client included",
                rounds: rounds.host.map(\.cpuMicroseconds), "µs"),
        ] + latencies("workflow", rounds.host.map(\.latencies), place)
            + latencies("C loop", rounds.loop.map(\.latencies), place)
    }

    private func latencies(_ subject: String, _ rounds: [[Double]], _ place: String) -> [Figure] {
        [(0.5, "p50"), (0.99, "p99")].map { part, name in
            Figure(
                .steps, "\(subject), \(place), \(name)", rounds: rounds.map { $0.percentile(part) * 1000 },
                "ms")
        }
    }
}
