import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import PerigeeHTTP
import PerigeeJournal

/// HTTP calls as durable steps, beside the same calls by the bare client.
struct CallRow {
    let load: Workload

    /// So many runs, or loops, are in flight.
    private static let inFlight = 64
    private static let inOneRun = 10

    func measure() async throws -> [Figure] {
        let server = try await CallServer()
        let transport = AsyncHTTPTransport(egress: EgressPolicy(allowsLoopback: true))
        let bench = try await BenchmarkHost(scripts: ["calls": calls], http: transport)
        defer { bench.removeFiles() }
        let client = HTTPClient()
        var bare: [Double] = []
        var single: [Double] = []
        var many: [Double] = []
        // They take turns, so that a bad minute of the machine hits all alike.
        for _ in 0..<load.rounds {
            bare.append(try await perSecond { try await call(client, server) })
            single.append(try await perSecond { try await run(bench, server, calls: 1) })
            many.append(
                try await perSecond { try await run(bench, server, calls: CallRow.inOneRun) }
                    * Double(CallRow.inOneRun))
        }
        try await bench.stop()
        try await transport.shutdown()
        try await client.shutdown()
        try await server.stop()
        return figures(bare: bare, single: single, many: many)
    }

    private func figures(bare: [Double], single: [Double], many: [Double]) -> [Figure] {
        let note = "\(CallRow.inFlight) in flight, a server in the same process"
        return [
            Figure(.calls, "yardstick: bare AsyncHTTPClient", rounds: bare, "calls/s", note: note),
            Figure(.calls, "durable steps, one in a run", rounds: single, "calls/s"),
            Figure(.calls, "… ÷ bare client", rounds: zip(single, bare).map { $0 / $1 }, "×"),
            Figure(.calls, "durable steps, \(CallRow.inOneRun) in a row in a run", rounds: many, "calls/s"),
            Figure(.calls, "… ÷ bare client", rounds: zip(many, bare).map { $0 / $1 }, "×"),
        ]
    }

    /// How often something is done in a second, by so many at once.
    private func perSecond(_ body: @escaping @Sendable () async throws -> Void) async throws -> Double {
        let start = ContinuousClock.now
        let seconds = load.secondsPerRound
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<CallRow.inFlight {
                group.addTask {
                    var count = 0
                    while start.age < seconds {
                        try await body()
                        count += 1
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(count) / start.age
    }

    private func call(_ client: HTTPClient, _ server: CallServer) async throws {
        var request = HTTPClientRequest(url: server.url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: "{\"n\":1}"))
        let reply = try await client.execute(request, timeout: .seconds(30))
        guard reply.status == .ok else { throw BenchmarkError("The server answered \(reply.status).") }
        _ = try await reply.body.collect(upTo: 1024)
    }

    private func run(_ bench: BenchmarkHost, _ server: CallServer, calls: Int) async throws {
        let input: JSON = ["url": .string(server.url), "calls": .int(Int64(calls))]
        for id in try await bench.start("calls", [input]) { try await bench.end(id) }
    }
}

private let calls = """
    for number = 1, input.calls do http.post("Send", { url = input.url, json = { n = number } }) end
    """
