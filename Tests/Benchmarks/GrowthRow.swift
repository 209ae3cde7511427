import Foundation
import Perigee
import PerigeeJournal

/// What a three-step workflow costs as the store, the waiting runs and the payloads grow, and by one thread more.
struct GrowthRow {
    let load: Workload

    private static let inFlight = 256
    private static let seedRuns = 500

    /// A host in one of the states that are compared.
    private struct Setting {
        var name: String
        var bench: BenchmarkHost
        var workflow = "three_steps"
        var input = BenchmarkSteps.input
        /// Where what it is compared with stands in the list.
        var base: Int
        var rounds: [ClosedLoop.Round] = []
        var listing: [Double] = []
    }

    func measure() async throws -> [Figure] {
        let (stored, bytesPerRun) = try await storedSettings()
        var settings = stored
        settings += try await waitingSettings(base: settings.count)
        settings += try await payloadSettings(base: settings.count)
        settings += try await shardSettings(base: settings.count)
        defer { for setting in settings { setting.bench.removeFiles() } }
        // They take turns, so that a bad minute of the disk hits all alike.
        for _ in 0..<load.rounds {
            for index in settings.indices { try await measure(&settings[index]) }
        }
        for setting in settings { try await setting.bench.stop() }
        return settings.flatMap { figures($0, base: settings[$0.base]) } + [
            Figure(.growth, "file per finished three-step run", bytesPerRun, "bytes")
        ]
    }

    private func measure(_ setting: inout Setting) async throws {
        let loop = ClosedLoop(
            bench: setting.bench, workflow: setting.workflow, input: setting.input,
            inFlight: GrowthRow.inFlight)
        setting.rounds.append(try await loop.measure(seconds: load.secondsPerRound))
        let host = setting.bench.host
        let query = RunQuery(namespace: host.namespace, limit: 50)
        var times: [Double] = []
        let begun = ContinuousClock.now
        repeat {
            let start = ContinuousClock.now
            _ = try await host.runs(query)
            times.append(start.age)
        } while times.count < 20 && begun.age < 1
        setting.listing.append(times.median)
    }

    private func figures(_ setting: Setting, base: Setting) -> [Figure] {
        let comparison = zip(setting.rounds, base.rounds).map { $0.perSecond / $1.perSecond }
        let throughput = [
            Figure(
                .growth, "three-step workflows, \(setting.name)", rounds: setting.rounds.map(\.perSecond),
                "/s")
        ]
        // The first of its kind is what the others are compared with.
        let ratio =
            setting.name == base.name
            ? [] : [Figure(.growth, "… ÷ \(base.name)", rounds: comparison, "×")]
        return throughput + ratio + [
            Figure(
                .growth, "… p99", rounds: setting.rounds.map { $0.latencies.percentile(0.99) * 1000 }, "ms"),
            Figure(
                .growth, "… written per workflow", rounds: setting.rounds.compactMap(\.bytesPerWorkflow),
                "bytes"),
            Figure(.growth, "… a page of 50 runs", rounds: setting.listing.map { $0 * 1000 }, "ms"),
        ]
    }

    // MARK: The states

    /// With finished runs, and how large the file is for each of them.
    private func storedSettings() async throws -> ([Setting], bytesPerRun: Double) {
        var settings: [Setting] = []
        var bytesPerRun = 0.0
        for count in load.storedRuns {
            let seed = try await host()
            try await seed.start("three_steps", count: GrowthRow.seedRuns, input: BenchmarkSteps.input)
            try await seed.untilIdle()
            try await seed.stop()
            let empty = try seed.fileSize()
            try StoreFilling(folder: seed.folder).fill(to: count)
            bytesPerRun = (try seed.fileSize() - empty) / Double(count - GrowthRow.seedRuns)
            settings.append(
                Setting(
                    name: "\(count) finished runs stored", bench: try await host(in: seed.folder), base: 0))
        }
        return (settings, bytesPerRun)
    }

    private func waitingSettings(base: Int) async throws -> [Setting] {
        var settings: [Setting] = []
        for count in load.besideWaiting {
            let bench = try await host()
            try await bench.start("ask", count: count, input: ["customer": "acme", "amount": 1200])
            try await bench.untilIdle()
            settings.append(Setting(name: "\(count) runs waiting", bench: bench, base: base))
        }
        return settings
    }

    private func payloadSettings(base: Int) async throws -> [Setting] {
        var settings: [Setting] = []
        for kibibytes in [1, 16, 64] {
            let bytes = kibibytes * 1024
            let input: JSON = [
                "bytes": .int(Int64(bytes)), "data": .string(String(repeating: "a", count: bytes)),
            ]
            settings.append(
                Setting(
                    name: "input and results of \(kibibytes) KiB", bench: try await host(),
                    workflow: "payloads",
                    input: input, base: base))
        }
        return settings
    }

    private func shardSettings(base: Int) async throws -> [Setting] {
        var settings: [Setting] = []
        for count in [1, 2] {
            let bench = try await host(shards: count)
            settings.append(Setting(name: "\(count) shard\(count == 1 ? "" : "s")", bench: bench, base: base))
        }
        return settings
    }

    private func host(in folder: URL? = nil, shards: Int? = nil) async throws -> BenchmarkHost {
        let scripts = [
            "three_steps": BenchmarkSteps.threeSteps, "payloads": payloads, "ask": BenchmarkSteps.ask,
        ]
        return try await BenchmarkHost(scripts: scripts, folder: folder) { options in
            if let shards { options.shards = shards }
        }
    }
}

private let payloads = """
    for number = 1, 3 do call("text " .. number, "bench.text", { bytes = input.bytes }) end
    return { done = true }
    """
