import Foundation
import Perigee
import PerigeeJournal

/// Work of a fixed amount, one thing after the other, whose instructions and allocations another program counts.
enum CountedWork: String, CaseIterable {
    case threeSteps = "three-step-workflow"
    case decision = "internal-workflow"
    case replay = "replayed-entry"

    /// One of them, as a figure names it.
    var name: String {
        switch self {
        case .threeSteps: "three-step workflow"
        case .decision: "internal workflow"
        case .replay: "replayed entry"
        }
    }

    /// How many of them are one of what `perform` is asked for.
    var unitsOfAmount: Int { self == .replay ? CountedWork.entries : 1 }

    /// What a run has recorded when it is replayed.
    private static let entries = 1000

    func perform(_ amount: Int) async throws {
        let bench = try await BenchmarkHost(scripts: [
            "three_steps": BenchmarkSteps.threeSteps, "decide": decide, "replayed": replayed,
        ]) { options in
            options.residentRuns = 0
            // Nothing is done because time went by, which a program that counts stretches.
            options.scanMilliseconds = 86_400_000
            options.leaseMilliseconds = 86_400_000
        }
        defer { bench.removeFiles() }
        switch self {
        case .threeSteps: try await run("three_steps", amount, bench)
        case .decision: try await run("decide", amount, bench)
        case .replay:
            let input: JSON = ["steps": .int(Int64(CountedWork.entries)), "waits": .int(Int64(amount))]
            for id in try await bench.start("replayed", [input]) { try await bench.end(id) }
        }
        try await bench.stop()
    }

    private func run(_ workflow: String, _ times: Int, _ bench: BenchmarkHost) async throws {
        for _ in 0..<times {
            for id in try await bench.start(workflow, [BenchmarkSteps.input]) { try await bench.end(id) }
        }
    }
}

/// Nothing of a waiting run is in memory, so that each sleep is followed by a replay.
private let replayed = """
    for number = 1, input.steps do
      emit("bench.step", { number = number, name = "a step with a few fields", ok = true })
    end
    for _ = 1, input.waits do sleep("1ms") end
    return { done = true }
    """
