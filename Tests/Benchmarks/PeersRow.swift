import Foundation

/// The same three-step workflow by DBOS Transact on SQLite, on the same disk and in turn with ours.
struct PeersRow {
    let load: Workload

    private static let inFlight = [1, 16]
    /// What `peers/run` ends with where it can't run.
    private static let skipped: Int32 = 3

    private struct Answer: Decodable {
        var version: String
        var perSecond: Double
        var latencies: [Double]
    }

    func measure() async throws -> [Figure] {
        let bench = try await BenchmarkHost(scripts: ["three_steps": BenchmarkSteps.threeSteps])
        defer { bench.removeFiles() }
        var (ours, theirs): ([Int: [ClosedLoop.Round]], [Int: [Answer]]) = ([:], [:])
        for _ in 0..<load.rounds {
            for count in PeersRow.inFlight {
                guard let answer = try peer(inFlight: count) else {
                    try await bench.stop()
                    let note = "skipped: what it needs is missing, as said above"
                    return [Figure(.peers, "DBOS Transact on SQLite", nil, "/s", note: note)]
                }
                theirs[count, default: []].append(answer)
                let loop = ClosedLoop(bench: bench, workflow: "three_steps", inFlight: count)
                ours[count, default: []].append(try await loop.measure(seconds: seconds))
            }
        }
        try await bench.stop()
        return PeersRow.inFlight.flatMap { figures($0, ours[$0] ?? [], theirs[$0] ?? []) }
    }

    /// A peer needs some time for some workflows.
    private var seconds: Double { load.secondsPerRound * 2 }

    /// Runs it in a folder of its own; `nil` if it can't be installed here.
    private func peer(inFlight: Int) throws -> Answer? {
        let folder = try BenchmarkHost.makeFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = URL(fileURLWithPath: #filePath).appendingPathComponent("../peers/run").standardized
        let process = Process()
        let output = Pipe()
        process.executableURL = script
        process.arguments = [folder.path, String(inFlight), String(seconds)]
        process.standardOutput = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        switch process.terminationStatus {
        case 0: return try JSONDecoder().decode(Answer.self, from: text)
        case PeersRow.skipped: return nil
        case let status:
            throw BenchmarkError("\(script.path) ended with status \(status); what it said stands above.")
        }
    }

    private func figures(_ count: Int, _ ours: [ClosedLoop.Round], _ theirs: [Answer]) -> [Figure] {
        let place = "\(count) in flight"
        return [
            Figure(
                .peers, "DBOS Transact on SQLite, \(place)", rounds: theirs.map(\.perSecond), "/s",
                note: theirs.first?.version),
            Figure(.peers, "… p50", rounds: theirs.map { $0.latencies.median * 1000 }, "ms"),
            Figure(.peers, "Perigee on SQLite, \(place)", rounds: ours.map(\.perSecond), "/s"),
            Figure(.peers, "… p50", rounds: ours.map { $0.latencies.median * 1000 }, "ms"),
            Figure(
                .peers, "Perigee ÷ DBOS Transact, \(place)",
                rounds: zip(ours, theirs).map { $0.perSecond / $1.perSecond }, "×"),
        ]
    }
}
