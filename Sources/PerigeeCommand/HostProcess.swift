import Foundation
import Logging
import Perigee
import PerigeeHTTP
import PerigeeSQLite
import PerigeeServer
import ServiceLifecycle
import UnixSignals

/// The process that runs workflows: the database, the host and the server, opened and closed in order.
struct HostProcess: Sendable {
    /// A host that is ready, with everything that happened in it since its start.
    struct Ready: Sendable {
        let host: WorkflowHost
        let port: Int
        let activity: AsyncStream<HostActivity>
    }

    var scripts: String
    var data: String
    var address: String
    var port: Int
    var tokens: [String]
    var options: HostOptions
    var logger: Logger
    /// How long a graceful end may take before what is left is broken off.
    var graceSeconds: Int64

    /// Runs until a signal ends it.
    ///
    /// - Parameters:
    ///   - transport: sends the calls of workflows.
    ///   - watch: is given the host once it is ready and the port open; it should return when the activity ends.
    /// - Throws: an ``ExplainedError`` for whatever keeps it from starting.
    func run(
        transport: any HTTPTransport, watch: @escaping @Sendable (Ready) async -> Void
    ) async throws {
        let access = try Access.check(address: address, tokens: tokens)
        guard isFolder(scripts) else { throw CommandFailure.noScripts(scripts) }
        let journal = try SQLiteJournal(path: data, onTransaction: try FaultSwitch.environment()?.strike)
        let host = WorkflowHost(
            journal: journal, scripts: scripts, http: transport, options: options, logger: logger)
        let (ports, opened) = AsyncStream.makeStream(of: Int.self)
        let server = ServerService(
            server: PerigeeServer(host: host, access: access, logger: logger), address: address, port: port
        ) { port in
            opened.yield(port)
            opened.finish()
        }
        let watcher = WatchService(host: host, activity: host.activity(), ports: ports, watch: watch)
        do { try await group(watcher, host, server).run() } catch {
            try? journal.close()
            throw error
        }
        try journal.close()
    }

    /// The services from the first to start to the last; they end in reverse.
    private func group(_ watcher: WatchService, _ host: WorkflowHost, _ server: ServerService) -> ServiceGroup
    {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .error)
        var configuration = ServiceGroupConfiguration(
            services: [
                .init(service: watcher, successTerminationBehavior: .ignore), .init(service: host),
                .init(service: server),
            ], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        configuration.maximumGracefulShutdownDuration = .seconds(graceSeconds)
        return ServiceGroup(configuration: configuration)
    }

    private func isFolder(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
            && isDirectory.boolValue
    }
}

/// Tells somebody who watches the host as soon as it can be used.
private struct WatchService: Service {
    let host: WorkflowHost
    let activity: AsyncStream<HostActivity>
    let ports: AsyncStream<Int>
    let watch: @Sendable (HostProcess.Ready) async -> Void

    func run() async throws {
        let port = try? await cancelWhenGracefulShutdown {
            try await host.waitUntilReady()
            return await ports.first { _ in true }
        }
        if let port = port ?? nil { await watch(.init(host: host, port: port, activity: activity)) }
        // The activity ends with the host, and a service that ends before its turn would break off the others.
        try? await gracefulShutdown()
    }
}
