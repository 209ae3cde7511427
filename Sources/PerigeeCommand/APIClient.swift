import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import PerigeeJournal

struct ServerOptions: ParsableArguments {
    @Option(help: "The server's address. (default: $PERIGEE_SERVER or http://127.0.0.1:7420)")
    var server: String?

    @Option(help: "The token that the server asks for. (default: $PERIGEE_TOKEN)")
    var token: String?

    /// - Throws: ``CommandFailure`` if the address is not one of HTTP.
    func client() throws(CommandFailure) -> APIClient {
        let text = server ?? Configuration.environment("PERIGEE_SERVER") ?? "http://127.0.0.1:7420"
        let base = text.hasSuffix("/") ? String(text.dropLast()) : text
        guard let url = URLComponents(string: base), ["http", "https"].contains(url.scheme),
            url.host?.isEmpty == false,
            url.query == nil
        else {
            throw .usage(
                "\"\(text)\" is not the address of a server.", hint: "Write it as http://127.0.0.1:7420.")
        }
        return APIClient(base: base, token: token ?? Configuration.environment("PERIGEE_TOKEN"))
    }
}

/// Perigee's HTTP API, as the commands use it.
struct APIClient: Sendable {
    let base: String
    let token: String?

    private static let timeoutSeconds = 30

    /// A server that refuses a connection is not there: it is not asked again and again until the time is
    /// over.
    ///
    /// The client lives as long as the command.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }()

    private static let maxAnswerBytes = 256 * 1_048_576

    /// Asks for a path with the parameters that have a value.
    func get(_ path: String, _ parameters: [(String, String?)] = []) async throws -> JSON {
        let query = parameters.compactMap { name, value in value.map { "\(name)=\(APIClient.encoded($0))" } }
        return try await send(
            .GET, query.isEmpty ? path : "\(path)?\(query.joined(separator: "&"))", nil, [:], wait: 0)
    }

    /// - Parameter wait: seconds that the server may take beyond the usual, because it was asked to wait.
    func post(
        _ path: String, _ body: JSON, headers: [String: String] = [:], wait: Int = 0
    ) async throws -> JSON {
        try await send(.POST, path, body, headers, wait: wait)
    }

    func put(_ path: String, _ body: JSON) async throws -> JSON {
        try await send(.PUT, path, body, [:], wait: 0)
    }

    func delete(_ path: String, _ body: JSON) async throws -> JSON {
        try await send(.DELETE, path, body, [:], wait: 0)
    }

    /// A text as a part of a path or query.
    static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? text
    }

    private static let unreserved = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

    private func send(
        _ method: HTTPMethod, _ path: String, _ body: JSON?, _ headers: [String: String], wait: Int
    ) async throws -> JSON {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        request.headers.add(name: "Accept", value: "application/json")
        request.headers.add(name: "User-Agent", value: "perigee/\(perigeeVersion)")
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(body.bytes)
        }
        let (status, bytes) = try await exchange(request, seconds: APIClient.timeoutSeconds + wait)
        guard let answer = try? JSON(parsing: bytes.readableBytesView, maxDepth: 512) else {
            throw CommandFailure.notPerigee(base, status: status)
        }
        guard status >= 400 else { return answer }
        throw CommandFailure(problem: answer, status: status) ?? .notPerigee(base, status: status)
    }

    private func exchange(_ request: HTTPClientRequest, seconds: Int) async throws -> (Int, ByteBuffer) {
        do {
            let response = try await APIClient.http.execute(request, timeout: .seconds(Int64(seconds)))
            let body = try await response.body.collect(upTo: APIClient.maxAnswerBytes)
            return (Int(response.status.code), body)
        } catch let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout {
            throw CommandFailure.noAnswer(base, seconds: seconds)
        } catch {
            throw CommandFailure.unreachable(base, reason: APIClient.reason(error))
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError where error.dnsAError != nil && error.connectionErrors.isEmpty:
            "there is no host \(error.host)"
        case is NIOConnectionError: "nobody listens there"
        case let error as IOError where error.errnoCode == ECONNREFUSED: "nobody listens there"
        case let error as HTTPClientError where error == .connectTimeout: "it does not answer"
        default: String(describing: error)
        }
    }
}

extension CommandFailure {
    /// What a server answered as problem details (RFC 9457); `nil` if it is none.
    fileprivate init?(problem: JSON, status: Int) {
        guard let code = problem["code"]?.string, let detail = problem["detail"]?.string else { return nil }
        let exitCode: ExitCode =
            switch status {
            case 401, 403: .forbidden
            case 404: .notFound
            case 409, 412: .conflict
            default: .failure
            }
        let faults = (problem["errors"]?.array ?? []).map { "\($0["pointer"].text): \($0["detail"].text)" }
        self.init(code: code, message: detail, hint: problem["hint"].text, exitCode: exitCode, faults: faults)
    }
}
