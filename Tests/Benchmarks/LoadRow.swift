import Foundation
import Perigee
import Synchronization

/// Hours of work at 80 % of what the host can do: what grows, and how long a workflow takes.
struct LoadRow {
    let load: Workload

    private static let share = 0.8
    private static let parts = 10
    /// With so many in flight the host does not keep up, and what is measured is the queue.
    private static let mostInFlight = 50_000

    private final class Progress: Sendable {
        struct State {
            var inFlight = 0
            /// How many were refused (`PG4080`) as the store stood still for more than a second.
            var refused = 0
            var failure: (any Error)?
            /// Goes on when nothing is in flight any more.
            var whenEmpty: CheckedContinuation<Void, Never>?
            var parts = Array(repeating: LatencyHistogram(), count: LoadRow.parts)
        }

        let state = Mutex(State())

        /// Waits for the end of all that are in flight; none may be started any more.
        func untilEmpty() async {
            await withCheckedContinuation { continuation in
                let isEmpty = state.withLock { state in
                    if state.inFlight > 0 { state.whenEmpty = continuation }
                    return state.inFlight == 0
                }
                if isEmpty { continuation.resume() }
            }
        }
    }

    /// What was seen beside the latencies.
    private struct Growth {
        var memory: [Double] = []
        var largestLog = 0.0
    }

    func measure() async throws -> [Figure] {
        let bench = try await BenchmarkHost(scripts: ["three_steps": BenchmarkSteps.threeSteps])
        defer { bench.removeFiles() }
        let loop = ClosedLoop(bench: bench, workflow: "three_steps", inFlight: 256)
        let capacity = try await loop.measure(seconds: load.secondsPerRound * 15).perSecond
        let before = try bench.fileSize()
        let progress = Progress()
        let growth = try await offer(capacity * LoadRow.share, to: bench, progress)
        let after = try bench.fileSize()
        try await bench.stop()
        let (parts, refused) = progress.state.withLock { ($0.parts, $0.refused) }
        return figures(parts, growth, capacity: capacity, refused: refused, bytes: after - before)
    }

    /// Starts workflows at a rate, whether those before have ended or not, until the time is over and all have ended.
    private func offer(
        _ perSecond: Double, to bench: BenchmarkHost, _ progress: Progress
    ) async throws -> Growth {
        let seconds = load.minutes * 60
        let start = ContinuousClock.now
        var growth = Growth()
        var (started, nextLook) = (0, 0.0)
        while start.age < seconds {
            while Double(started) / perSecond <= start.age {
                let due = Double(started) / perSecond
                guard due < seconds else { break }
                progress.state.withLock { $0.inFlight += 1 }
                // No group: to leave one takes a task the longer the more others are in it.
                Task { await run(bench, due: start + .seconds(due), part: due / seconds, progress) }
                started += 1
            }
            if start.age >= nextLook {
                try look(bench, progress, &growth)
                nextLook += 1
            }
            try await Task.sleep(for: .milliseconds(1))
        }
        await progress.untilEmpty()
        if let failure = progress.state.withLock({ $0.failure }) { throw failure }
        return growth
    }

    private func run(
        _ bench: BenchmarkHost, due: ContinuousClock.Instant, part: Double, _ progress: Progress
    ) async {
        let result: Result<Void, any Error>
        do {
            for id in try await bench.start("three_steps", [BenchmarkSteps.input]) { try await bench.end(id) }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        progress.state.withLock { state in
            state.inFlight -= 1
            switch result {
            case .success: state.parts[min(LoadRow.parts - 1, Int(part * Double(LoadRow.parts)))].add(due.age)
            case .failure(let error as HostError) where error.status == 429: state.refused += 1
            case .failure(let error): state.failure = state.failure ?? error
            }
            if state.inFlight == 0 { state.whenEmpty?.resume() }
        }
    }

    private func look(_ bench: BenchmarkHost, _ progress: Progress, _ growth: inout Growth) throws {
        let (inFlight, failure) = progress.state.withLock { ($0.inFlight, $0.failure) }
        if let failure { throw failure }
        guard inFlight < LoadRow.mostInFlight else {
            throw BenchmarkError(
                "The host does not keep up with \(LoadRow.share) of its capacity: \(inFlight) in flight.")
        }
        if let memory = Footprint.residentBytes { growth.memory.append(memory) }
        growth.largestLog = max(growth.largestLog, try bench.fileSize(ofLog: true))
        if growth.memory.count.isMultiple(of: 60) { tell(progress, growth) }
    }

    /// A line a minute, so that an hour that goes wrong has said since when.
    private func tell(_ progress: Progress, _ growth: Growth) {
        let (inFlight, parts) = progress.state.withLock { ($0.inFlight, $0.parts) }
        let ended = parts.reduce(0) { $0 + $1.count }
        let latency = (parts.last { $0.count > 0 } ?? LatencyHistogram()).percentile(0.99) * 1000
        let memory = (growth.memory.last ?? 0) / 1_048_576
        let words =
            "load: \(growth.memory.count) s, \(ended) ended, \(inFlight) in flight, "
            + "p99 \(Report.short(latency)) ms, \(Report.short(memory)) MiB\n"
        FileHandle.standardError.write(Data(words.utf8))
    }

    private func figures(
        _ parts: [LatencyHistogram], _ growth: Growth, capacity: Double, refused: Int, bytes: Double
    ) -> [Figure] {
        let count = parts.reduce(0) { $0 + $1.count }
        let tenth = growth.memory.count / LoadRow.parts
        let mebibyte = 1_048_576.0
        return [
            Figure(.load, "capacity: three-step workflows, 256 in flight", capacity, "/s"),
            Figure(.load, "ended in \(Report.short(load.minutes)) min of 80 %", Double(count), ""),
            Figure(.load, "refused, as the store stood still", Double(refused), ""),
            Figure(
                .load, "memory, in the first tenth of the time",
                rounds: growth.memory.prefix(max(1, tenth)).map { $0 / mebibyte }, "MiB"),
            Figure(
                .load, "memory, in the last tenth",
                rounds: growth.memory.suffix(max(1, tenth)).map { $0 / mebibyte },
                "MiB"),
            Figure(.load, "write-ahead log, largest", growth.largestLog / mebibyte, "MiB"),
            Figure(.load, "file per ended run", bytes / Double(max(1, count)), "bytes"),
        ]
            + parts.enumerated().flatMap { index, part in
                [(0.5, "p50"), (0.99, "p99")].map { share, name in
                    Figure(.load, "tenth \(index + 1): \(name)", part.percentile(share) * 1000, "ms")
                }
            }
    }
}
