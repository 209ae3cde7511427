import Foundation
import Hummingbird
import Logging
import Perigee
import PerigeeJournal
import PerigeeServer
import ServiceLifecycle

/// A server in this process that takes events, Perigee's own or a bare one beside it.
struct EventServer: Sendable {
    let port: Int
    private let task: Task<Void, any Error>

    /// Perigee's server before a host.
    static func perigee(_ host: WorkflowHost) async throws -> EventServer {
        try await EventServer { listening in
            let server = PerigeeServer(host: host, access: .open, logger: quiet)
            try await ServerService(server: server, port: 0, onListening: listening).run()
        }
    }

    /// Hummingbird alone: it reads the same JSON, keeps nothing, and answers 202 with about as much JSON.
    static func bare() async throws -> EventServer {
        try await EventServer { listening in
            let router = Router()
            router.post("/v1/events") { request, _ in
                let body = try await request.body.collect(upTo: 1_048_576)
                let value = try JSON(parsing: body.readableBytesView)
                let reply = JSON.array((0..<(value.array?.count ?? 1)).map { _ in receipt }).bytes
                return Response(
                    status: .accepted, headers: [.contentType: "application/json"],
                    body: ResponseBody(byteBuffer: ByteBuffer(bytes: reply)))
            }
            let application = Application(
                router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
                onServerRunning: { await listening($0.localAddress?.port ?? 0) }, logger: quiet)
            try await application.run()
        }
    }

    private static let receipt: JSON = [
        "event_id": "evt_01kahf0000000000000000000", "runs": ["run_01kahf0000000000000000000"],
        "duplicate": false, "refused": [],
    ]

    private static var quiet: Logger {
        var logger = Logger(label: "bench.server")
        // Ending it while connections are open is an error to it.
        logger.logLevel = .critical
        return logger
    }

    private init(
        _ serve: @escaping @Sendable (@escaping @Sendable (Int) async -> Void) async throws -> Void
    ) async throws {
        let (ports, listening) = AsyncThrowingStream.makeStream(of: Int.self)
        task = Task {
            do { try await serve { listening.yield($0) } } catch {
                listening.finish(throwing: error)
                throw error
            }
        }
        var iterator = ports.makeAsyncIterator()
        guard let port = try await iterator.next() else {
            throw BenchmarkError("The server ended before it listened.")
        }
        self.port = port
    }

    func stop() async throws {
        task.cancel()
        do { try await task.value } catch is CancellationError {}
    }
}
