import Foundation
import NIOCore
import Perigee
import PerigeeJournal

/// Three times as many events as the host can take: what becomes of those that it takes, and of the rest.
struct OverloadRow {
    let load: Workload

    private static let factor = 3.0
    /// The load before and after, as a part of the capacity.
    private static let calm = 0.25
    /// So many senders, as a process may have 1,024 files open, and each takes two.
    private static let connections = 400

    /// Events that were taken, and the time from each one's acceptance to its run's end, in seconds.
    private struct Phase {
        var name: String
        var outcome: EventClient.Outcome
        var runs: [Double] = []
    }

    func measure() async throws -> [Figure] {
        try await measure(batch: 1, way: "one by one") + measure(batch: 100, way: "by 100")
    }

    private func measure(batch: Int, way: String) async throws -> [Figure] {
        let bench = try await BenchmarkHost(scripts: [
            "on_event": EventsRow.script("return { order = input.order }")
        ])
        defer { bench.removeFiles() }
        let server = try await EventServer.perigee(bench.host)
        let seconds = load.secondsPerRound * 2
        let capacity = try await EventClient(port: server.port, batch: batch).closedLoop(seconds: seconds)
            .acceptedPerSecond
        try await bench.untilIdle()
        let client = EventClient(port: server.port, connections: OverloadRow.connections, batch: batch)
        func offer(_ part: Double, _ name: String) async throws -> Phase {
            let rate = capacity * part / Double(batch)
            let outcome = try await client.openLoop(perSecond: rate, seconds: seconds, keepsReplies: true)
            return Phase(name: "\(way), \(name)", outcome: outcome)
        }
        var phases = [try await offer(OverloadRow.calm, "before")]
        try await bench.untilIdle()
        phases.append(try await offer(OverloadRow.factor, "at 3 × capacity"))
        let end = ContinuousClock.now
        phases.append(try await offer(OverloadRow.calm, "right after"))
        try await bench.untilIdle()
        let idle = end.age
        for index in phases.indices { phases[index].runs = try await times(phases[index].outcome, bench) }
        try await server.stop()
        try await bench.stop()
        return [
            Figure(
                .overload, "\(way), capacity: events accepted", capacity, "/s",
                note: "64 connections; client and server in one process")
        ] + phases.flatMap { figures($0, batch: batch) } + [
            Figure(
                .overload, "\(way), from the overload's end until all runs had ended", idle, "s",
                note: "\(Report.short(seconds)) s of events at a quarter of the capacity are in it")
        ]
    }

    /// Looks for every run of every event that was taken.
    private func times(_ outcome: EventClient.Outcome, _ bench: BenchmarkHost) async throws -> [Double] {
        var times: [Double] = []
        for reply in outcome.replies {
            let value = try JSON(parsing: reply.readableBytesView)
            for receipt in value["items"]?.array ?? [value] where receipt["event_id"] != nil {
                guard let id = receipt["runs"]?.array?.first?.string else {
                    throw BenchmarkError("An event was taken and started no run.")
                }
                let run = try await bench.host.run(id: id)
                guard run.status == .completed, let end = run.endedAt else {
                    throw BenchmarkError("An event was taken, and its run \(id) is \(run.status) in the end.")
                }
                times.append(Double(end.milliseconds - run.createdAt.milliseconds) / 1000)
            }
        }
        guard times.count == outcome.accepted else {
            throw BenchmarkError("\(outcome.accepted) events were taken, and \(times.count) runs are found.")
        }
        return times
    }

    private func figures(_ phase: Phase, batch: Int) -> [Figure] {
        let (name, outcome) = (phase.name, phase.outcome)
        let refused = outcome.statuses[429, default: 0]
        let others = outcome.statuses.filter { ![202, 429].contains($0.key) }.map(\.value).reduce(0, +)
        let without = "\(outcome.refusedWithoutRetryAfter) of \(refused) without Retry-After"
        return [
            Figure(.overload, "\(name): offered", Double(outcome.sent) / outcome.seconds, "/s"),
            Figure(
                .overload, "\(name): accepted, and every run completed", outcome.acceptedPerSecond, "/s"),
            Figure(
                .overload, "\(name): refused with 429", Double(refused * batch) / outcome.seconds, "/s",
                note: refused > 0 ? without : nil),
            Figure(.overload, "\(name): other replies", Double(others), ""),
            Figure(.overload, "\(name): request to its 202, p50", outcome.latencies.median * 1000, "ms"),
            Figure(
                .overload, "\(name): request to its 202, p99", outcome.latencies.percentile(0.99) * 1000, "ms"
            ),
            Figure(.overload, "\(name): accepted to ended, p50", phase.runs.median * 1000, "ms"),
            Figure(.overload, "\(name): accepted to ended, p99", phase.runs.percentile(0.99) * 1000, "ms"),
        ]
    }
}
