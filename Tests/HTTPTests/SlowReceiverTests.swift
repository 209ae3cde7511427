import Foundation
import NIOCore
import NIOPosix
import Perigee
import PerigeeHTTP
import PerigeeJournal
import Synchronization
import Testing

/// Counts the attempts under way to each host and port.
private final class CountedTransport: HTTPTransport {
    private let base: AsyncHTTPTransport
    private let underWay = Mutex<[Int?: Int]>([:])
    private let changes: AsyncStream<Void>
    private let sink: AsyncStream<Void>.Continuation

    init(_ base: AsyncHTTPTransport) {
        self.base = base
        (changes, sink) = AsyncStream.makeStream(of: Void.self)
    }

    func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPReply {
        let port = URLComponents(string: request.url)?.port
        count(port, by: 1)
        defer { count(port, by: -1) }
        return try await base.send(request)
    }

    func count(_ port: Int) -> Int { underWay.withLock { $0[port] ?? 0 } }

    /// Waits until so many are under way.
    func wait(for count: Int, to port: Int) async {
        if self.count(port) == count { return }
        for await _ in changes where self.count(port) == count { return }
    }

    private func count(_ port: Int?, by change: Int) {
        underWay.withLock { $0[port, default: 0] += change }
        sink.yield()
    }
}

@Suite(.timeLimit(.minutes(5))) struct SlowReceiverTests {
    private static let script = """
        return workflow { input = { url = "string" }, run = function(input)
          return http.post("Ask", { url = input.url, timeout = "5m" }).json.n
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
            let transport = CountedTransport(base)
            try await withHost(transport) { host in
                let waiting = try await start(host, 1000, slow)
                await transport.wait(for: 1000, to: slow.port)
                let others = try await start(host, 20, fast)
                try await expectCompleted(host, others)
                #expect(transport.count(slow.port) == 1000)
                #expect(fast.requests.count == 20)
                answered.succeed()
                try await expectCompleted(host, waiting)
                #expect(Set(slow.requests).count == 1000)
            }
        }
        try await slow.stop()
    }
}
