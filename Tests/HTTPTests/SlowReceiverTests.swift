import Foundation
import NIOCore
import NIOPosix
import Perigee
import PerigeeHTTP
import PerigeeJournal
import Synchronization
import Testing

/// Sees which calls are made to which port, by their idempotency keys.
private final class SeenCalls: HTTPTransport {
    private let base: AsyncHTTPTransport
    private let keys = Mutex<[Int?: Set<String>]>([:])
    private let changes: AsyncStream<Void>
    private let sink: AsyncStream<Void>.Continuation

    init(_ base: AsyncHTTPTransport) {
        self.base = base
        (changes, sink) = AsyncStream.makeStream(of: Void.self)
    }

    func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPReply {
        let port = URLComponents(string: request.url)?.port
        let key = request.headers.first { $0.name == "Idempotency-Key" }?.value ?? ""
        keys.withLock { _ = $0[port, default: []].insert(key) }
        sink.yield()
        return try await base.send(request)
    }

    /// Waits until so many different ones were begun.
    func wait(for count: Int, to port: Int) async {
        func isThere() -> Bool { keys.withLock { $0[port]?.count ?? 0 } >= count }
        if isThere() { return }
        for await _ in changes where isThere() { return }
    }
}

@Suite(.timeLimit(.minutes(5))) struct SlowReceiverTests {
    private static let script = """
        return workflow { input = { url = "string" }, run = function(input)
          return http.post("Ask", { url = input.url, timeout = "5m", retry = { max_attempts = 1 } }).json.n
        end }
        """

    private func withHost(
        _ transport: any HTTPTransport, run: (WorkflowHost) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "perigee-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(Self.script.utf8).write(to: folder.appendingPathComponent("ask.lua"))
        let host = WorkflowHost(journal: MemoryJournal(), scripts: folder.path, http: transport)
        let running = Task { try await host.run() }
        defer { running.cancel() }
        try await host.waitUntilReady()
        try await run(host)
        running.cancel()
        try await running.value
        try FileManager.default.removeItem(at: folder)
    }

    private func start(_ host: WorkflowHost, _ count: Int, _ server: LocalServer) async throws -> [String] {
        let start = NewStart(workflow: "ask", input: ["url": .string(server.url)])
        return try await host.start(Array(repeating: start, count: count)).map { try $0.get().id }
    }

    private func expectCompleted(_ host: WorkflowHost, _ runs: [String]) async throws {
        for id in runs {
            let run = try await host.waitForEnd(run: id, timeoutMilliseconds: 120_000)
            #expect(
                run.status == .completed, "\(run.error.map { String(decoding: $0, as: UTF8.self) } ?? "")")
        }
    }

    @Test func `a thousand calls that a slow server does not answer hold up none to another`() async throws {
        let answered = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Void.self)
        let reply = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"n\":1}"
        let slow = try await LocalServer { _ in .late(answered.futureResult, reply) }
        try await withServer { _ in
            .bytes(reply)
        } run: { fast, base in
            let transport = SeenCalls(base)
            try await withHost(transport) { host in
                let waiting = try await start(host, 1000, slow)
                await transport.wait(for: 1000, to: slow.port)
                let others = try await start(host, 20, fast)
                try await expectCompleted(host, others)
                #expect(fast.requests.count == 20)
                for id in waiting { #expect(try await !host.run(id: id).status.isFinal) }
                answered.succeed()
                try await expectCompleted(host, waiting)
                // Those that had no connection waited on; nothing was sent twice.
                #expect(slow.requests.count == 1000)
            }
        }
        try await slow.stop()
    }
}
