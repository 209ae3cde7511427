import Foundation
import Perigee
import PerigeeJournal
import Testing

/// What a run sees must be the same in every process that replays it.
@Suite("A run sees the same", .timeLimit(.minutes(5)))
struct DeterminismTests {
    private static let processes = 20

    @Test("in every fresh process, whatever its memory looks like")
    func processes() async throws {
        let scripts = Corpus.attacks(.deterministic)
        let outputs = try await withThrowingTaskGroup(of: [String].self) { group in
            var outputs: [[String]] = []
            for number in 0..<DeterminismTests.processes {
                if number >= 3, let output = try await group.next() { outputs.append(output) }
                group.addTask { try await DeterminismTests.output(of: scripts, number: number) }
            }
            for try await output in group { outputs.append(output) }
            return outputs
        }
        #expect(outputs.count == DeterminismTests.processes)
        for script in scripts {
            let told = outputs.map { lines in lines.filter { $0.hasPrefix(script.name + ": ") } }
            // A script that is refused says so: each tells something.
            #expect(told.allSatisfy { !$0.isEmpty }, "\(script.name) tells nothing")
            let ways = Set(told)
            let example = ways.prefix(2).map { $0.joined(separator: "\n").prefix(500) }
            #expect(
                ways.count == 1, "\(script.name) goes \(ways.count) ways:\n\(example.joined(separator: "\n"))"
            )
        }
    }

    /// What the scripts print in a process of its own, each line after its script's name.
    private static func output(of scripts: [CorpusScript], number: Int) async throws -> [String] {
        let result = try await #require(
            processExitsWith: .success, observing: [\.standardOutputContent]
        ) { [scripts, number] in
            // Memory lies elsewhere in each process, and is used differently.
            let kept = (0..<number * 100).map { [UInt8](repeating: 0, count: $0 * 8) }
            for script in scripts { try await DeterminismTests.tell(script) }
            withExtendedLifetime(kept) {}
        }
        return String(decoding: result.standardOutputContent, as: UTF8.self).split(separator: "\n").map(
            String.init)
    }

    /// Runs a script under a clock and a run id that are the same each time, and prints what came of it.
    private static func tell(_ script: CorpusScript) async throws {
        for text in [script.workflow, script.loadingWorkflow] {
            let test = try TestHost(scripts: ["corpus.lua": text])
            defer { try? FileManager.default.removeItem(at: test.folder) }
            var run: CorpusRun?
            try await test.run { run = try await CorpusRun(in: $0) }
            for line in run?.lines ?? [] { print("\(script.name): \(line.debugDescription)") }
            let message = run?.end?.problem?["message"]?.string ?? run?.refusal?.message ?? ""
            print("\(script.name): \(run?.end?.id ?? "") \(run?.code ?? "ends") \(message.debugDescription)")
            if run?.refusal == nil { return }
        }
    }
}
