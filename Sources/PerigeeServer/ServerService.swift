import Foundation
import Hummingbird
import Logging
import NIOCore
public import ServiceLifecycle

/// A server that listens by itself, as a service beside its host.
public struct ServerService: Service {
    let server: PerigeeServer
    let address: String
    let port: Int
    let onListening: @Sendable (Int) async -> Void

    /// Creates the service.
    ///
    /// - Parameters:
    ///   - server: what answers.
    ///   - address: the address to listen on; check it with ``Access/check(address:tokens:)`` first.
    ///   - port: 1 to 65535, or 0 for any that is free.
    ///   - onListening: called with the port as soon as requests are taken.
    public init(
        server: PerigeeServer, address: String = "127.0.0.1", port: Int = 7420,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.server = server
        self.address = address
        self.port = port
        self.onListening = onListening
    }

    /// Serves until the task is cancelled or the service group shuts down; requests in progress are finished.
    ///
    /// - Throws: ``ServerError`` `PG4030` if another program has the port, `PG4032` if it can't be opened
    ///   otherwise.
    public func run() async throws {
        var logger = server.logger
        // Hummingbird says where it listens; the command says it better.
        logger.logLevel = max(logger.logLevel, .notice)
        let name = address == "localhost" ? "127.0.0.1" : address.filter { $0 != "[" && $0 != "]" }
        let application = Application(
            router: server.router(),
            configuration: .init(address: .hostname(name, port: port), reuseAddress: true),
            onServerRunning: { [port] channel in await onListening(channel.localAddress?.port ?? port) },
            logger: logger)
        do {
            try await application.run()
        } catch let error as IOError {
            throw error.errnoCode == EADDRINUSE
                ? ServerError.portInUse(port, address: address)
                : .cannotListen(address, port: port, reason: String(describing: error))
        }
    }
}
