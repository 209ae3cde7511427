import ArgumentParser
import Foundation
import Logging
import Perigee
import PerigeeHTTP
import PerigeeJournal
import PerigeeTesting

struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev", abstract: "Work on scripts: host, dashboard, and an outside world made of mocks.",
        discussion: """
            Examples:
              perigee dev
              perigee dev flows --port 7500
              perigee dev --live        calls the real thing; secrets from PERIGEE_SECRET_NAME

            The rules for hosts, the certificates and the proxy count with --live.

            A saved script is the new version at once; runs in flight move to it where a replay shows that they can.
            Calls are answered from *.json files in ./mocks; secrets that are not set get a placeholder there.
            """)

    @Argument(help: "The scripts folder. (default: $PERIGEE_SCRIPTS or scripts)")
    var scripts: String?

    @Option(help: "The port of the dashboard, on this machine alone. (default: $PERIGEE_PORT or 7420)")
    var port: Int?

    @Flag(help: "Call the real thing instead of the mocks.")
    var live = false

    @Option(help: "The database file, kept between restarts.")
    var data = ".perigee/dev.db"

    @Flag(name: .customLong("no-keys"), help: "Do not listen to single keys.")
    var noKeys = false

    @OptionGroup var masterKey: MasterKeyOptions

    @Option(help: "The folder of mocks.")
    var mocks = "mocks"

    @OptionGroup var calls: CallOptions

    func run() async throws {
        let port = try Configuration.port(port)
        var options = HostOptions()
        options.reload = .moveWhenSafe
        options.publicURL = "http://localhost:\(port)"
        options.drainMilliseconds = 2000
        options.masterKeys = try masterKey.keys()
        if !live { options.settings = placeholders(options.settings) }
        var logger = Logger(label: "perigee", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = .error
        let folder = Configuration.scripts(scripts)
        let process = HostProcess(
            scripts: folder, data: data, address: "127.0.0.1", port: port, tokens: [], options: options,
            logger: logger,
            graceSeconds: 5)
        let session = DevSession(
            scripts: folder, data: data, mocks: mocks, isLive: live,
            listensToKeys: !noKeys && Terminal.inputIsTTY)
        guard live else {
            return try await process.run(transport: MockTransport(folder: mocks)) { await session.run($0) }
        }
        let transport = try calls.transport(allowsLoopback: true)
        try await closing(transport) { try await process.run(transport: transport) { await session.run($0) } }
    }

    /// Mocks do not look at secrets, so a first run needs none.
    private func placeholders(_ settings: Settings) -> Settings {
        settings.or(Settings(secret: { "placeholder-for-\($0)" }, config: { _ in nil }))
    }
}
