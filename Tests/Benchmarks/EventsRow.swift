import Foundation

/// Events over HTTP, each of which starts a run, beside a bare server that keeps nothing.
struct EventsRow {
    let load: Workload

    private struct Round {
        var bare: Double
        var accepted: Double
        /// Events whose runs have ended by then, a second.
        var ended: Double
        var latencies: [Double]
        var refused: Double
    }

    /// What an event of the benchmark starts.
    static func script(_ body: String) -> String {
        """
        return workflow {
          name = "On event",
          on = { event = "bench.event" },
          run = function(input)
            \(body)
          end,
        }
        """
    }

    func measure() async throws -> [Figure] {
        let bench = try await BenchmarkHost(scripts: [
            "on_event": EventsRow.script("return { order = input.order }")
        ])
        defer { bench.removeFiles() }
        let server = try await EventServer.perigee(bench.host)
        let bare = try await EventServer.bare()
        var rounds: [Int: [Round]] = [:]
        // They take turns, so that a bad minute of the machine hits all alike.
        for _ in 0..<load.rounds {
            for batch in [1, 100] {
                let round = try await round(bench, server: server, bare: bare, batch: batch)
                rounds[batch, default: []].append(round)
            }
        }
        try await server.stop()
        try await bare.stop()
        try await bench.stop()
        return figures(rounds[1] ?? [], "one by one") + figures(rounds[100] ?? [], "in batches of 100")
    }

    private func round(
        _ bench: BenchmarkHost, server: EventServer, bare: EventServer, batch: Int
    ) async throws -> Round {
        let seconds = load.secondsPerRound
        let yardstick = try await EventClient(port: bare.port, batch: batch).closedLoop(seconds: seconds)
        let start = ContinuousClock.now
        let taken = try await EventClient(port: server.port, batch: batch).closedLoop(seconds: seconds)
        try await bench.untilIdle()
        let refused = Double(taken.sent - taken.accepted) / Double(max(1, taken.sent))
        return Round(
            bare: yardstick.acceptedPerSecond, accepted: taken.acceptedPerSecond,
            ended: Double(taken.accepted) / start.age, latencies: taken.latencies, refused: refused)
    }

    private func figures(_ rounds: [Round], _ way: String) -> [Figure] {
        [
            Figure(.events, "yardstick: bare Hummingbird, \(way)", rounds: rounds.map(\.bare), "events/s"),
            Figure(
                .events, "accepted, durable and to be run, \(way)", rounds: rounds.map(\.accepted),
                "events/s",
                note: "64 connections, client and servers in one process"),
            Figure(.events, "… ÷ bare Hummingbird", rounds: rounds.map { $0.accepted / $0.bare }, "×"),
            Figure(.events, "… accepted and its run ended", rounds: rounds.map(\.ended), "events/s"),
            Figure(.events, "… p50", rounds: rounds.map { $0.latencies.median * 1000 }, "ms"),
            Figure(.events, "… p99", rounds: rounds.map { $0.latencies.percentile(0.99) * 1000 }, "ms"),
            Figure(.events, "… refused", rounds: rounds.map { $0.refused * 100 }, "% of events"),
        ]
    }
}
