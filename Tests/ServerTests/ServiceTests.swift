import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Perigee
import PerigeeJournal
import PerigeeServer
import Testing

struct ServiceTests {
    private func server() -> PerigeeServer {
        var logger = Logger(label: "server-tests")
        logger.logLevel = .critical
        return PerigeeServer(
            host: WorkflowHost(journal: MemoryJournal(), scripts: "/nonexistent", logger: logger),
            access: .open,
            logger: logger)
    }

    @Test func `a port that is in use is named, with what to do`() async throws {
        let (ports, listening) = AsyncStream<Int>.makeStream()
        let first = ServerService(server: server(), port: 0) { listening.yield($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await first.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            let error = await #expect(throws: ServerError.self) {
                try await ServerService(server: server(), port: port).run()
            }
            #expect(error?.code == "PG4030")
            #expect(error?.message.contains("\(port)") == true && error?.hint.contains("--port") == true)
            group.cancelAll()
        }
    }

    @Test func `an address that is not this machine's is told`() async throws {
        let error = await #expect(throws: ServerError.self) {
            try await ServerService(server: server(), address: "192.0.2.1", port: 0).run()
        }
        #expect(error?.code == "PG4032")
    }

    @Test func `it stands beside the routes of another application`() async throws {
        let router = Router()
        router.get("/mine") { _, _ in "mine" }
        server().addRoutes(to: router)
        try await Application(router: router).test(.router) { client in
            try await client.execute(uri: "/mine", method: .get) {
                #expect(String(buffer: $0.body) == "mine")
            }
            try await client.execute(uri: "/livez", method: .get) {
                #expect(String(buffer: $0.body) == "ok\n")
            }
            try await client.execute(uri: "/readyz", method: .get) {
                #expect($0.status == .serviceUnavailable)
            }
            try await client.execute(uri: "/v1/runs", method: .get) { #expect($0.status == .ok) }
        }
    }
}
