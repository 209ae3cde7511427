import Foundation
import Perigee
import PerigeeJournal
import Testing

/// The corpora of Tests/Corpus, each script a workflow of a real host with default limits.
///
/// A hostile script runs in a process of its own: one that brings the host down fails by its name, and CPU time and
/// memory are those of this script alone. Three other workflows run beside it and must not notice.
@Suite("The corpus", .timeLimit(.minutes(10)))
struct CorpusTests {
    /// What a script may use in all, twice its CPU limit.
    private static let mostCPUSeconds = 2.0
    /// What the process may grow by: the limit of 64 MiB, and this much for the host, its other runs, and what the
    /// allocator holds between two sizes of one block.
    private static let marginBytes = 24 << 20

    @Test("is there, and says how each script must end")
    func isThere() {
        #expect(!Corpus.attacks.isEmpty && !Corpus.legit.isEmpty)
        let silent = Corpus.attacks.filter { $0.expectation == nil }
        #expect(silent.isEmpty, "the first line of each is `-- expect: …`, see Tests/Corpus/README.md")
    }

    @Test("prints what plain Lua prints", arguments: Corpus.legit)
    func legit(_ script: CorpusScript) async throws {
        let test = try TestHost(scripts: ["corpus.lua": script.workflow])
        defer { try? FileManager.default.removeItem(at: test.folder) }
        try await test.run { test in
            let run = try await CorpusRun(in: test)
            #expect(run.refusal == nil)
            #expect(run.end?.status == .completed, "\(run.end?.problem?["message"]?.string ?? "")")
            #expect(run.lines.map { $0 + "\n" }.joined() == script.output)
        }
    }

    @Test("has what fails with an error", .serialized, arguments: Corpus.attacks(.error))
    func error(_ script: CorpusScript) async {
        await #expect(processExitsWith: .success) { [script] in
            try await CorpusTests.attack(script) { run in
                // To find the least of ever more keys takes about a second where the C half is not optimised.
                let mayTakeLong = script.name == "err-next-modified" && run.code == "PG1030"
                let isError = !["PG1030", "PG1031", "PG2050"].contains(run.code) || mayTakeLong
                #expect(isError, "\(run.summary)")
            }
        }
    }

    /// Scripts that would compute without end in another host, and end otherwise here.
    private static let otherEnds = [
        "cpu-name-in-error-object": "PG1065",  // the host never calls the `__tostring` of an error
        "cpu-next-emptied": "PG1031",  // a million texts in a table of a million places need more than 64 MiB
    ]

    @Test("has what computes without end", .serialized, arguments: Corpus.attacks(.killedByCPU))
    func killedByCPU(_ script: CorpusScript) async {
        await #expect(processExitsWith: .success) { [script] in
            try await CorpusTests.attack(script) { run in
                #expect(run.code == CorpusTests.otherEnds[script.name, default: "PG1030"], "\(run.summary)")
            }
        }
    }

    @Test("has what takes memory without end", .serialized, arguments: Corpus.attacks(.killedByMemory))
    func killedByMemory(_ script: CorpusScript) async {
        await #expect(processExitsWith: .success) { [script] in
            try await CorpusTests.attack(script) { run in
                #expect(run.code == "PG1031", "\(run.summary)")
            }
        }
    }

    @Test("has what reaches for more than it may", .serialized, arguments: Corpus.attacks(.denied))
    func denied(_ script: CorpusScript) async {
        await #expect(processExitsWith: .success) { [script] in
            try await CorpusTests.attack(script) { _ in }
        }
    }

    @Test(
        "has what two processes could see differently", .serialized, arguments: Corpus.attacks(.deterministic)
    )
    func deterministic(_ script: CorpusScript) async {
        await #expect(processExitsWith: .success) { [script] in
            try await CorpusTests.attack(script) { _ in }
        }
    }

    /// Runs a script by itself, and once more through `load` if a workflow can't hold it as it stands.
    private static func attack(_ script: CorpusScript, _ check: (CorpusRun) -> Void) async throws {
        ProcessUse.endAfter(cpuSeconds: 6)
        if try await attack(script, as: script.workflow, check) { return }
        #expect(try await attack(script, as: script.loadingWorkflow, check))
    }

    /// - Returns: whether the host took it.
    private static func attack(_ script: CorpusScript, as text: String, _ check: (CorpusRun) -> Void)
        async throws
        -> Bool
    {
        let test = try TestHost(
            scripts: ["corpus.lua": text, "neighbour.lua": TestHost.neighbour], ambient: SystemAmbient())
        defer { try? FileManager.default.removeItem(at: test.folder) }
        var run: CorpusRun?
        try await test.run { test in
            _ = try await test.besideNeighbours {}
            let before = ProcessUse.residentBytes
            let completed = try await test.besideNeighbours { run = try await CorpusRun(in: test) }
            let grown = (ProcessUse.peakBytes ?? 0) - (before ?? 0)
            #expect(completed >= 3)
            guard let run, run.refusal == nil else { return }
            let isEnd = run.end?.status == .completed
            #expect(!isEnd || script.expectation?.allowsEnd == true, "\(run.summary)")
            let bad = run.lines.filter { $0.contains("ESCAPED") || $0.contains("BUG") }
            #expect(bad.isEmpty, "\(bad.prefix(5))")
            #expect(run.cpuSeconds < mostCPUSeconds, "\(run.summary)")
            #expect(grown < (64 << 20) + marginBytes, "\(grown >> 20) MiB; \(run.summary)")
            check(run)
        }
        return run?.refusal == nil
    }
}

extension Expectation {
    /// Whether a script may come to its last line.
    fileprivate var allowsEnd: Bool { self == .denied || self == .deterministic }
}
