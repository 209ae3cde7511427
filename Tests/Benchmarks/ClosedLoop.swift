import Foundation
import PerigeeJournal
import Synchronization

/// Keeps so many workflows in flight: one that ends is followed by the next at once.
struct ClosedLoop {
    let bench: BenchmarkHost
    let workflow: String
    var input = BenchmarkSteps.input
    let inFlight: Int

    /// What was done in some seconds.
    struct Round {
        var perSecond: Double
        var commitsPerSecond: Double
        /// Written to the disk for a workflow; `nil` where the system does not tell it.
        var bytesPerWorkflow: Double?
        /// CPU time of the whole process for a workflow, those who start and await it included.
        var cpuMicroseconds: Double
        /// From a workflow's start to its awaited end, in seconds.
        var latencies: [Double]
    }

    private final class Progress: Sendable {
        struct State {
            var latencies: [Double] = []
            var isCounting = false
            var isOver = false
        }

        let state = Mutex(State())
    }

    /// Measures some seconds, once all workflows have been under way for a while.
    func measure(seconds: Double) async throws -> Round {
        let progress = Progress()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<inFlight {
                group.addTask {
                    while progress.state.withLock({ !$0.isOver }) {
                        let begun = ContinuousClock.now
                        for id in try await bench.start(workflow, [input]) { try await bench.end(id) }
                        progress.state.withLock { if $0.isCounting { $0.latencies.append(begun.age) } }
                    }
                }
            }
            try await Task.sleep(for: .seconds(seconds / 4))
            let before = Meter(bench)
            progress.state.withLock { $0.isCounting = true }
            try await Task.sleep(for: .seconds(seconds))
            let latencies = progress.state.withLock { state in
                state.isOver = true
                state.isCounting = false
                return state.latencies
            }
            let after = Meter(bench)
            try await group.waitForAll()
            return round(latencies, from: before, to: after)
        }
    }

    private func round(_ latencies: [Double], from before: Meter, to after: Meter) -> Round {
        let seconds = before.time.duration(to: after.time) / .seconds(1)
        let count = max(1, Double(latencies.count))
        return Round(
            perSecond: Double(latencies.count) / seconds,
            commitsPerSecond: Double(after.commits - before.commits) / seconds,
            bytesPerWorkflow: after.written.flatMap { after in
                before.written.map { (after - $0) / count }
            },
            cpuMicroseconds: (after.cpu - before.cpu) / count * 1e6, latencies: latencies)
    }
}

/// Where the counters stand at one moment.
private struct Meter {
    let time = ContinuousClock.now
    let commits: Int
    let cpu = Footprint.cpuSeconds
    let written = Footprint.writtenBytes

    init(_ bench: BenchmarkHost) {
        commits = bench.commitCount
    }
}
