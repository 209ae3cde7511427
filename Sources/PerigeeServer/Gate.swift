import HTTPTypes
import Hummingbird
import Logging
import Perigee

/// Stands before every route: lets in or not, turns errors into answers, and sets the headers that protect.
struct Gate<Context: RequestContext>: RouterMiddleware {
    let access: Access
    let routes: RouteTable
    let logger: Logger
    let errorPage: @Sendable (Problem) -> Response

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            if let refusal = access.refusal(of: Caller(request)) { throw refusal }
            response = try await next(request, context)
        } catch {
            response = answer(problem(error, of: request), to: request)
        }
        for (name, value) in Self.protection where response.headers[name] == nil {
            response.headers[name] = value
        }
        return response
    }

    private func problem(_ error: any Error, of request: Request) -> Problem {
        let path = request.uri.path
        if let error = error as? HTTPError, error.status == .notFound {
            let allowed = routes.methods(for: path)
            if allowed.isEmpty || allowed.contains(request.method.rawValue) { return .noSuchPage(path) }
            return .methodNotAllowed(request.method.rawValue, path: path, allowed: allowed)
        }
        if let problem = Problem(error) { return problem }
        logger.error(
            "A request failed in a way that has no answer.",
            metadata: [
                "method": "\(request.method)", "path": "\(path)", "error": "\(error)", "code": "PG4000",
            ])
        return .unexpected
    }

    private func answer(_ problem: Problem, to request: Request) -> Response {
        let path = request.uri.path
        let isForProgram = ["/v1", "/hooks", "/livez", "/readyz"].contains { path.hasPrefix($0) }
        if !isForProgram, request.headers[.accept]?.contains("text/html") == true {
            return errorPage(problem)
        }
        return problem.response(instance: path)
    }

    private static var protection: [(HTTPField.Name, String)] {
        [
            (.contentSecurityPolicy, contentSecurityPolicy), (.xContentTypeOptions, "nosniff"),
            // Under no-referrer a browser would send "Origin: null" with the forms of our own pages.
            (.referrerPolicy, "same-origin"), (.cacheControl, "no-store"),
        ]
    }
}

/// Nothing but the dashboard's own files, and no page may frame it.
private let contentSecurityPolicy =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

extension HTTPField.Name {
    static var referrerPolicy: HTTPField.Name { named("Referrer-Policy") }
    static var secFetchSite: HTTPField.Name { named("Sec-Fetch-Site") }
    static var idempotencyKey: HTTPField.Name { named("Idempotency-Key") }
    static var prefer: HTTPField.Name { named("Prefer") }
    static var preferenceApplied: HTTPField.Name { named("Preference-Applied") }
    static var lastEventID: HTTPField.Name { named("Last-Event-ID") }
    static var link: HTTPField.Name { named("Link") }

    /// A name that is written here in the source, and therefore is one.
    private static func named(_ name: String) -> HTTPField.Name {
        guard let field = HTTPField.Name(name) else { preconditionFailure("\(name) is not a header name") }
        return field
    }
}

extension Caller {
    init(_ request: Request) {
        self.init(
            method: request.method, path: request.uri.path, host: request.head.authority,
            origin: request.headers[.origin], fetchSite: request.headers[.secFetchSite],
            authorization: request.headers[.authorization])
    }
}
