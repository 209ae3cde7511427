import Perigee
@testable import PerigeeHTTP

/// A server, and a transport that may call this machine, for the length of a test.
func withServer(
    _ answer: @escaping @Sendable (_ request: String) -> LocalServer.Answer,
    run: (LocalServer, AsyncHTTPTransport) async throws -> Void
) async throws {
    let server = try await LocalServer(answer)
    try await withTransport(EgressPolicy(allowsLoopback: true)) { try await run(server, $0) }
    try await server.stop()
}

/// A transport for the length of a test.
///
/// - Parameter lookUp: finds the addresses of names in the place of the system's resolver.
func withTransport(
    _ egress: EgressPolicy = EgressPolicy(), tls: CallTLS = CallTLS(), proxy: CallProxy? = nil,
    lookUp: @escaping HostLookup = systemLookup,
    run: (AsyncHTTPTransport) async throws -> Void
) async throws {
    let transport = AsyncHTTPTransport(egress: egress, tls: tls, proxy: proxy, lookUp: lookUp)
    do { try await run(transport) } catch {
        try await transport.shutdown()
        throw error
    }
    try await transport.shutdown()
}

extension HTTPTransport {
    /// The failure of a call that must not succeed.
    func failure(of request: HTTPRequest) async throws -> HTTPFailure {
        do { throw UnexpectedReply(status: try await send(request.patient).status) } catch let failure
            as HTTPFailure
        {
            return failure
        }
    }

    func get(_ url: String, headers: [(name: String, value: String)] = []) async throws -> HTTPReply {
        try await send(HTTPRequest(method: "GET", url: url, headers: headers).patient)
    }
}

extension HTTPRequest {
    /// The request with more time than the default: all tests run side by side, and a call may stand still for long.
    var patient: HTTPRequest {
        var request = self
        if timeoutMilliseconds == HTTPRequest(method: "GET", url: "").timeoutMilliseconds {
            request.timeoutMilliseconds = 300_000
        }
        return request
    }
}

struct UnexpectedReply: Error { let status: Int }

extension HTTPReply {
    var text: String { String(decoding: body, as: UTF8.self) }
}
