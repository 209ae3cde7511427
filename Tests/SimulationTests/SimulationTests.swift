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
        var compiled: [String: Simulated] = [:]
        for (index, program) in programs.enumerated() {
            compiled["p\(index)"] = try Simulated("p\(index)", script: program.script)
            for child in program.children {
                let script = child.block.script(hops: child.hops)
                compiled["c\(child.id)"] = try Simulated("c\(child.id)", script: script)
            }
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
            try await checkCount("p\(index)", program.count, journal, isCancelling: isCancelling, host)
            for child in program.children {
                try await check(child, journal, isCancelling: isCancelling, host)
            }
        }
        try (journal as? SQLiteJournal)?.close()
    }

    /// Counting in a durable value loses nothing and adds nothing.
    private static func checkCount(
        _ workflow: String, _ expected: Int, _ journal: any Journal, isCancelling: Bool, _ host: SimulatedHost
    ) async throws {
        let counted = try await journal.state(namespace: "main", workflow: workflow, key: "n")
        let count = counted.flatMap { try? JSON(parsing: $0) }?.int ?? 0
        let isRight = isCancelling ? count <= expected : count == expected
        try check(isRight, "\(workflow) counted \(count) of \(expected)", host)
    }

    /// Every start has its runs: one for each time that it continues, and one that ends.
    private static func check(
        _ child: ChildProgram, _ journal: any Journal, isCancelling: Bool, _ host: SimulatedHost
    ) async throws {
        let query = RunQuery(namespace: "main", workflows: ["c\(child.id)"], limit: 500)
        let runs = try await journal.runs(query).runs
        let text = child.block.script(hops: child.hops)
        try check(
            isCancelling || runs.count == child.times * (child.hops + 1),
            "\(runs.count) runs of c\(child.id), started \(child.times) times\n\(text)", host)
        for run in runs {
            guard let history = try await journal.history(run: run.id) else { continue }
            let expected: RunStatus =
                run.continuedAs != nil ? .continued : child.block.fails ? .failed : .completed
            try check(
                run.status == expected || isCancelling && [.cancelled, .terminated].contains(run.status),
                "\(run.id) of c\(child.id) is \(run.status), not \(expected)\n\(text)", host)
            try check(run.correlationID == "c", "\(run.id) lost its correlation id", host)
            try checkSteps(history, host)
        }
        try await checkCount("c\(child.id)", child.count, journal, isCancelling: isCancelling, host)
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
        let record = history.entries.map { "\($0.sequence) \($0.fact)" }.joined(separator: "\n")
        try check(isExpected, why + program.script + "\n" + record, host)
        if run.status == .completed {
            let value = run.output.flatMap { try? JSON(parsing: $0) }
            let expected = JSON.int(Int64(program.value() ?? -1))
            try check(
                value == expected, "\(why)gave \(value as Any), expected \(expected)\n\(program.script)", host
            )
        }
        try checkSteps(history, host)
    }

    private static func checkSteps(_ history: RunHistory, _ host: SimulatedHost) throws {
        var steps: [StepAddress: Int] = [:]
        for case .stepCompleted(let step, _, _, _) in history.entries.map(\.fact) {
            steps[step.address, default: 0] += 1
        }
        try check(
            steps.values.allSatisfy { $0 == 1 }, "recorded twice: \(steps.filter { $0.value > 1 })", host)
        // One that needs attention is cancelled without its script being asked.
        let isAbandoned =
            [.cancelled, .terminated].contains(history.run.status)
            && !history.entries.contains { if case .endRequested = $0.fact { true } else { false } }
        if !isAbandoned { try checkSagas(Set(steps.keys), host) }
    }

    /// Every step of a saga that failed is undone once, and of one that succeeded never.
    private static func checkSagas(_ steps: Set<StepAddress>, _ host: SimulatedHost) throws {
        for step in steps where step.label.hasPrefix("Do ") {
            let undo = StepAddress(
                path: step.path, label: "Undo " + step.label.dropFirst(3), occurrence: step.occurrence)
            let saga = step.path.split(separator: "/").last?.split(separator: " ").last.map(String.init) ?? ""
            let isKept = steps.contains(StepAddress(path: step.path, label: "kept.\(saga)", occurrence: 1))
            try check(steps.contains(undo) != isKept, "\(step) with \(undo), kept: \(isKept)", host)
        }
    }
}
