import ArgumentParser
import Logging
import Perigee
import PerigeeHTTP
import PerigeeJournal
import PerigeeLua

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run workflows: the service.",
        discussion: """
            Examples:
              perigee serve
              perigee serve --scripts flows --data /var/lib/perigee/perigee.db --port 8080
              PERIGEE_TOKENS=s3cret perigee serve --host 0.0.0.0 --public-url https://flows.acme.example

            A secret of a script is looked for in the store (perigee secrets), in PERIGEE_SECRET_NAME, and in the file
            NAME in --secrets, systemd's credentials or /run/secrets. PERIGEE_SECRET_HOSTS_NAME or the file NAME.hosts
            has the hosts that it may be sent to. Settings come from PERIGEE_CONFIG_NAME.
            SIGTERM and Ctrl-C end it in order: steps under way are finished, waiting runs go on at the next start.
            For tests: PERIGEE_FAULT=kill-before-commit:K or kill-after-commit:K kills the process at its K-th
            transaction, PERIGEE_ALWAYS_EVICT=1 replays a run at every wait.
            """)

    @Option(help: "The scripts folder. (default: $PERIGEE_SCRIPTS or scripts)")
    var scripts: String?

    @Option(help: "The database file, created if there is none. (default: $PERIGEE_DATA or perigee.db)")
    var data: String?

    @Option(help: "The port to listen on, 0 for any. (default: $PERIGEE_PORT or 7420)")
    var port: Int?

    @Option(help: "The address to listen on. (default: $PERIGEE_HOST or 127.0.0.1)")
    var host: String?

    @Option(help: "A token that lets callers in; repeatable. (default: $PERIGEE_TOKENS, separated by commas)")
    var token: [String] = []

    @Option(
        name: .customLong("public-url"),
        help: "The base of links to pages. (default: $PERIGEE_PUBLIC_URL or http://localhost:PORT)")
    var publicURL: String?

    @Option(
        help:
            """
            How long ended runs stay, such as 30d, or forever; `keep` in a script says it for its own runs. \
            (default: $PERIGEE_KEEP or 30d)
            """
    )
    var keep: String?

    @Option(
        help:
            "A folder with a file for each secret. (default: $PERIGEE_SECRETS, $CREDENTIALS_DIRECTORY, /run/secrets)"
    )
    var secrets: String?

    @Option(
        help:
            """
            How many events and starts may wait for the database before more are refused with 429. \
            (default: $PERIGEE_MAX_PENDING or 10000)
            """
    )
    var maxPending: Int?

    @OptionGroup var calls: CallOptions
    @OptionGroup var masterKey: MasterKeyOptions

    func run() async throws {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        let port = try Configuration.port(port)
        let data = Configuration.data(data)
        let address = Configuration.host(host)
        var options = HostOptions()
        options.publicURL = base(
            publicURL ?? Configuration.environment("PERIGEE_PUBLIC_URL") ?? "http://localhost:\(port)")
        options.settings = Configuration.settings(secrets: secrets)
        options.masterKeys = try masterKey.keys()
        if let keep = try Configuration.keep(keep) { options.keep = keep }
        if let limit = try Configuration.maxPending(maxPending) { options.maxPendingSubmissions = limit }
        if Configuration.environment("PERIGEE_ALWAYS_EVICT") == "1" { options.residentRuns = 0 }
        let logger = Logger(label: "perigee")
        if let warning = LuaRelease.linked.warning { logger.warning("\(warning)") }
        let process = HostProcess(
            scripts: Configuration.scripts(scripts), data: data, address: address, port: port,
            tokens: Configuration.list(token, "PERIGEE_TOKENS"), options: options, logger: logger,
            graceSeconds: 30)
        let transport = try calls.transport()
        try await closing(transport) {
            try await process.run(transport: transport) { ready in
                let workflows = ready.host.workflows.count { $0.version != nil && !$0.isDeleted }
                logger.info(
                    """
                    Perigee \(perigeeVersion) on http://\(address):\(ready.port) · \(LuaRelease.linked.name) · \
                    \(counted(workflows, "workflow")) · data \(data)
                    """
                )
                for await activity in ready.activity { log(activity, to: logger) }
            }
        }
    }

    private func base(_ url: String) -> String {
        url.hasSuffix("/") ? String(url.dropLast()) : url
    }

    /// Logs what operators want to know: what became of the scripts, and runs that need somebody.
    private func log(_ activity: HostActivity, to logger: Logger) {
        switch activity {
        case .scriptLoaded(let workflow, let version, _, _, _):
            logger.info("workflow \(workflow) v\(version) loaded")
        case .scriptRefused(let problem, let running):
            let status = running.map { " not loaded, v\($0) keeps running" } ?? " not loaded"
            logger.error(
                "\(problem.lines(style: Style(isOn: false), status: status).joined(separator: "\n"))")
        case .scriptDeleted(let workflow):
            logger.notice("workflow \(workflow) deleted; runs in flight go on, new ones do not start")
        case .scriptChecked(let workflow, let version, let moved, let stayed):
            logger.info("workflow \(workflow) v\(version): \(moved) in flight moved, \(stayed.count) stayed")
        case .recovered(let runs): logger.info("\(counted(runs, "run")) in flight taken up")
        case .runEnded(let run, let workflow, .attention, _, let error):
            let error = RunError(error.flatMap { try? JSON(parsing: $0) })
            let reason = [error?.summary ?? "no reason was given", error?.place ?? ""].filter { !$0.isEmpty }
            logger.warning(
                "run \(run) of \(workflow) needs attention: \(reason.joined(separator: " at ").oneLine)")
        default: break
        }
    }
}

/// Runs a body and closes the transport after it, whatever came of it.
func closing(_ transport: AsyncHTTPTransport, _ body: () async throws -> Void) async throws {
    do { try await body() } catch {
        try? await transport.shutdown()
        throw error
    }
    try await transport.shutdown()
}
