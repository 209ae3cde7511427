import Foundation
import Perigee
import PerigeeJournal

/// How soon a host is back that was killed with runs in flight.
struct RecoveryRow {
    let load: Workload

    private static let script = """
        call("before", "bench.step", { number = 1 })
        call("in the middle", "bench.hold", { number = 2 })
        return { done = true }
        """
    /// What the process to be killed says once all its runs are in flight.
    private static let isHeld = Data("held\n".utf8)

    private struct Round {
        var ready: Double
        var ended: Double
    }

    func measure() async throws -> [Figure] {
        var rounds: [Round] = []
        // Each holds all its runs first, which takes as long as the rest of the row.
        for _ in 0..<min(3, load.rounds) { rounds.append(try await round()) }
        let runs = load.runsToRecover
        return [
            Figure(
                .recovery, "ready to serve, \(runs) runs were in flight", rounds: rounds.map(\.ready), "s",
                note:
                    "from opening the file; as many as a host works on at once were running, the rest queued"),
            Figure(.recovery, "all \(runs) have gone on and ended", rounds: rounds.map(\.ended), "s"),
            Figure(
                .recovery, "… a second", rounds: rounds.map { Double(runs) / ($0.ended - $0.ready) }, "/s"),
        ]
    }

    private func round() async throws -> Round {
        let folder = try BenchmarkHost.makeFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try killHost(in: folder)
        let start = ContinuousClock.now
        let bench = try await BenchmarkHost(scripts: ["held": RecoveryRow.script], folder: folder)
        let ready = start.age
        try await bench.untilNone(is: [.queued, .running, .waiting])
        let ended = start.age
        let others = Set(RunStatus.allCases).subtracting([.completed])
        let query = RunQuery(namespace: bench.host.namespace, statuses: others, limit: 1)
        if let run = try await bench.host.runs(query).runs.first {
            throw BenchmarkError("The run \(run.id) is \(run.status) after recovery and should be completed.")
        }
        try await bench.stop()
        return Round(ready: ready, ended: ended)
    }

    /// Lets a process bring its runs in flight, and kills it.
    private func killHost(in folder: URL) throws {
        let process = try Benchmarks.ownProcess(["--stuck-host", folder.path, String(load.runsToRecover)])
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let said = try output.fileHandleForReading.read(upToCount: RecoveryRow.isHeld.count)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        guard said == RecoveryRow.isHeld else {
            throw BenchmarkError("The process that should hold \(load.runsToRecover) runs ended before.")
        }
    }

    /// Starts runs that stay in their second step, says so, and waits to be killed.
    static func hold(_ runs: Int, in folder: URL) async throws {
        let bench = try await BenchmarkHost(scripts: ["held": script], folder: folder, holdsSteps: true)
        try await bench.start("held", count: runs, input: BenchmarkSteps.input)
        let atOnce = min(runs, 4000)
        while bench.heldSteps.value < atOnce { try await Task.sleep(for: .milliseconds(20)) }
        FileHandle.standardOutput.write(isHeld)
        try await Task.sleep(for: .seconds(3600))
    }
}
