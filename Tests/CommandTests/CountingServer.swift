import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// A real HTTP server that counts the calls it gets by path and idempotency key.
final class CountingServer: Sendable {
    private let seen = Mutex<[String: Set<String>]>([:])
    private let calls = Mutex(0)

    /// The idempotency keys that came to a path.
    func keys(_ path: String) -> Set<String> { seen.withLock { $0[path] ?? [] } }

    var callCount: Int { calls.withLock { $0 } }

    /// Listens on a free port while the body runs.
    func run(_ body: (_ port: Int) async throws -> Void) async throws {
        let router = Router()
        router.post("/steps/:step") { request, context in
            let step = try context.parameters.require("step")
            let key = request.headers[.init("Idempotency-Key") ?? .contentType] ?? "none"
            self.calls.withLock { $0 += 1 }
            self.seen.withLock { _ = $0[step, default: []].insert(key) }
            return Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: "{\"step\":\"\(step)\"}")))
        }
        try await listen(router, body)
    }
}

/// Listens on a free port of this machine while the body runs.
func listen(_ router: Router<BasicRequestContext>, _ body: (_ port: Int) async throws -> Void) async throws {
    let (ports, listening) = AsyncStream.makeStream(of: Int.self)
    var logger = Logger(label: "test server")
    logger.logLevel = .critical
    let application = Application(
        router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { channel in listening.yield(channel.localAddress?.port ?? 0) }, logger: logger)
    let group = ServiceGroup(services: [application], logger: logger)
    try await withThrowingTaskGroup { tasks in
        tasks.addTask { try await group.run() }
        var failure: (any Error)?
        for await port in ports {
            do { try await body(port) } catch { failure = error }
            break
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
        if let failure { throw failure }
    }
}
