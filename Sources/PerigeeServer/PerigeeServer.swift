public import Hummingbird
public import Logging
public import Perigee

/// Perigee's HTTP API and dashboard over a host.
///
/// It runs by itself (``ServerService``) or as a part of a Hummingbird application (``addRoutes(to:)``).
public struct PerigeeServer: Sendable {
    let host: WorkflowHost
    let access: Access
    let clock: any Ambient
    let logger: Logger
    private let table: RouteTable
    private let pages: Pages

    /// Creates a server.
    ///
    /// - Parameters:
    ///   - host: the host whose workflows it serves; it is not run by the server.
    ///   - access: who may use it, see ``Access/check(address:tokens:)``.
    ///   - clock: the time that pages show ages by.
    ///   - logger: where errors go that nobody planned for.
    public init(
        host: WorkflowHost, access: Access, maxEventBytes: Int = 1_048_576,
        clock: any Ambient = SystemAmbient(),
        logger: Logger = Logger(label: "perigee.server")
    ) {
        self.host = host
        self.access = access
        let maxEventBytes = host.maxEventBytes
        self.clock = clock
        self.logger = logger
        pages = Pages(host: host, clock: clock)
        table = RouteTable(
            routes: EventsRoutes(host: host, maxBytes: maxEventBytes).routes
                + WorkflowsRoutes(host: host, maxBytes: maxEventBytes).routes
                + RunsRoutes(host: host, clock: clock, maxBytes: maxEventBytes).routes
                + ActionsRoutes(host: host, maxBytes: maxEventBytes).routes
                + BatchesRoutes(host: host, maxBytes: maxEventBytes).routes
                + ApprovalsRoutes(host: host, maxBytes: maxEventBytes).routes
                + SchedulesRoutes(host: host).routes + SecretsRoutes(host: host).routes
                + StoreRoutes(host: host).routes
                + HooksRoutes(host: host, maxBytes: maxEventBytes).routes + HealthRoutes(host: host).routes
                + pages.routes + Assets.routes)
    }

    /// A router that has nothing but this server: it also answers for addresses that are not there.
    public func router() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self, options: [.autoGenerateHeadEndpoints])
        router.add(middleware: gate())
        add(to: router)
        return router
    }

    /// Adds the API and the dashboard to another application's router.
    ///
    /// The addresses are absolute (`/`, `/runs`, `/v1` …), so the router is the application's own and not a
    /// group with a prefix.
    public func addRoutes<Context: RequestContext>(to router: some RouterMethods<Context>) {
        add(to: router.group().add(middleware: gate()))
    }

    private func gate<Context: RequestContext>() -> Gate<Context> {
        Gate(access: access, routes: table, logger: logger) { [pages] problem in pages.error(problem) }
    }

    private func add<Context: RequestContext>(to router: some RouterMethods<Context>) {
        for route in table.routes {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                try await route.handler(request, PathValues(parameters: context.parameters))
            }
        }
    }
}
