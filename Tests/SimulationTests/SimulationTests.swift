import Foundation
import PerigeeJournal
import PerigeeSQLite
import PerigeeTesting
import Testing

@testable import Perigee

/// Random programs over all verbs, on a host whose every choice comes from a seed, with crashes at any commit.
///
/// `dev/simulate` runs it for longer. A seed that failed is repeated by PERIGEE_SEED.
@Suite struct SimulationTests {
    /// How long to go on, in seconds.
    private static let seconds =
        ProcessInfo.processInfo.environment["PERIGEE_SIMULATE_SECONDS"].flatMap(Double.init) ?? 6

    @Test(arguments: [false, true])
    func `programs come to what a plain interpreter makes of them, whatever fails`(onSQLite: Bool)
        async throws
    {
        let given = ProcessInfo.processInfo.environment["PERIGEE_SEED"].flatMap(UInt64.init)
        let end = ContinuousClock.now + .seconds(given == nil ? SimulationTests.seconds / 2 : 0)
        repeat {
            let seed = given ?? UInt64.random(in: 0...UInt64(UInt32.max))
            do {
                try await SimulationTests.simulate(seed, onSQLite: onSQLite)
            } catch {
                Issue.record("PERIGEE_SEED=\(seed)\(onSQLite ? " on SQLite" : ""): \(error)")
                return
            }
        } while ContinuousClock.now < end
    }

    private struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    private static func simulate(_ seed: UInt64, onSQLite: Bool) async throws {
        var maker = ProgramMaker(SeededGenerator(seed: seed))
        let count = Int.random(in: 1...3, using: &maker.random)
        let programs = (0..<count).map { _ in maker.program() }
        var compiled: [String: CompiledBundle] = [:]
        for (index, program) in programs.enumerated() {
            var files = Stdlib.files
            files["p\(index).lua"] = program.script
            compiled["p\(index)"] = try CompiledBundle(ScriptBundle(workflow: "p\(index)", files: files))
        }
        let directory = NSTemporaryDirectory() + "perigee-simulation-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let journal: any Journal = onSQLite ? try SQLiteJournal(path: directory + "/s.db") : MemoryJournal()
        let host = SimulatedHost(
            journal: journal, programs: compiled, random: maker.random, faults: [0, 3, 15][Int(seed % 3)])
        let isCancelling = seed % 5 == 0
        for index in programs.indices {
            let run = NewRun(
                id: "run_\(index)", workflow: "p\(index)", version: 1, bundle: "b", input: Array("{}".utf8),
                trigger: Array("{}".utf8), correlationID: "c")
            _ = try await journal.submit([Submission(namespace: "main", starts: [run])], now: host.now)
        }
        if isCancelling {
            _ = try await host.runToEnd(maxSteps: Int.random(in: 0...60, using: &maker.random))
            for index in programs.indices {
                let error = JSON.object(["kind": "cancelled", "code": "PG2060", "message": "test"]).bytes
                _ = try await journal.cancel(
                    run: "run_\(index)", error: error, isForced: false, now: host.now)
            }
        }
        guard try await host.runToEnd(maxSteps: 20_000) else {
            throw Violation(description: "stuck after:\n" + host.trace.suffix(60).joined(separator: "\n"))
        }
        try check(host.world.violations.isEmpty, "\(host.world.violations)", host)
        for (index, program) in programs.enumerated() {
            guard let history = try await journal.history(run: "run_\(index)") else { continue }
            try check(program, history, isCancelling: isCancelling, host)
            let counted = try await journal.state(namespace: "main", workflow: "p\(index)", key: "n")
            let count = counted.flatMap { try? JSON(parsing: $0) }?.int ?? 0
            let isRight = isCancelling ? count <= program.count : count == program.count
            try check(isRight, "counted \(count) of \(program.count)\n\(program.script)", host)
        }
        try (journal as? SQLiteJournal)?.close()
    }

    private static func check(_ condition: Bool, _ what: String, _ host: SimulatedHost) throws {
        guard !condition else { return }
        throw Violation(description: what + "\n" + host.trace.suffix(60).joined(separator: "\n"))
    }

    private static func check(
        _ program: Block, _ history: RunHistory, isCancelling: Bool, _ host: SimulatedHost
    ) throws {
        let run = history.run
        let why =
            "\(run.id) is \(run.status): \(run.error.map { String(decoding: $0, as: UTF8.self) } ?? "")\n"
        let isExpected = run.status == .completed || isCancelling && run.status == .cancelled
        try check(isExpected, why + program.script, host)
        if run.status == .completed {
            let value = run.output.flatMap { try? JSON(parsing: $0) }
            let expected = JSON.int(Int64(program.value() ?? -1))
            try check(
                value == expected, "\(why)gave \(value as Any), expected \(expected)\n\(program.script)", host
            )
        }
        var steps: [StepAddress: Int] = [:]
        for case .stepCompleted(let step, _, _, _) in history.entries.map(\.fact) {
            steps[step.address, default: 0] += 1
        }
        try check(
            steps.values.allSatisfy { $0 == 1 }, "recorded twice: \(steps.filter { $0.value > 1 })", host)
        try checkSagas(program, Set(steps.keys), isComplete: run.status == .completed, host)
    }

    /// Every step of a saga that failed is undone once, and of one that succeeded never.
    private static func checkSagas(
        _ program: Block, _ steps: Set<StepAddress>, isComplete: Bool, _ host: SimulatedHost
    ) throws {
        for step in steps where step.label.hasPrefix("Do ") {
            let undo = StepAddress(
                path: step.path, label: "Undo " + step.label.dropFirst(3), occurrence: step.occurrence)
            let saga = step.path.split(separator: "/").last?.split(separator: " ").last.map(String.init) ?? ""
            let isKept = steps.contains(StepAddress(path: step.path, label: "kept.\(saga)", occurrence: 1))
            try check(steps.contains(undo) != isKept, "\(step) with \(undo), kept: \(isKept)", host)
        }
    }
}
