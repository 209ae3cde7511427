import Crypto
import Foundation
import HTTPTypes
public import PerigeeJournal

/// Who may use the server.
public enum Access: Sendable {
    /// Everybody who reaches it; for a loopback address alone.
    case open
    /// Those who send one of these tokens, as `Authorization: Bearer TOKEN` or as the password of Basic.
    case tokens([String])

    /// The access for an address that a server is to listen on.
    ///
    /// - Parameters:
    ///   - address: a host name or an IP address: `127.0.0.1`, `0.0.0.0`, `::1` …
    ///   - tokens: the tokens that let in; empty ones count for nothing.
    /// - Returns: ``tokens(_:)`` where there are any, ``open`` otherwise.
    /// - Throws: ``ServerError`` `PG4031` if others than this machine could reach it and there is no token.
    public static func check(address: String, tokens: [String]) throws(ServerError) -> Access {
        let usable = tokens.filter { !$0.isEmpty }
        if !usable.isEmpty { return .tokens(usable) }
        guard isLoopback(address) else { throw .tokensMissing(address: address) }
        return .open
    }

    /// Whether only this machine can reach an address.
    static func isLoopback(_ address: String) -> Bool {
        if ["localhost", "::1", "[::1]"].contains(address.lowercased()) { return true }
        let parts = address.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return parts.count == 4 && parts[0] == 127 && !parts.contains(nil)
    }
}

/// What of a request decides whether it is let in.
struct Caller {
    var method: HTTPRequest.Method
    var path: String
    /// The `Host` header.
    var host: String?
    var origin: String?
    /// The `Sec-Fetch-Site` header: what a browser says of where the request came from.
    var fetchSite: String?
    var authorization: String?
}

extension Access {
    /// Why a caller is not let in; `nil` if it is.
    func refusal(of caller: Caller) -> Problem? {
        if caller.path == "/livez" || caller.path == "/readyz" { return nil }
        let isHook = caller.path.hasPrefix("/hooks/")
        switch self {
        case .open:
            if let host = caller.host, !Self.isLoopbackHost(host) {
                return .forbidden(
                    "This server answers only to localhost, and was asked as \"\(host)\".",
                    hint: "Open http://localhost with its port, or start the server with tokens.")
            }
        case .tokens(let tokens):
            // A hook is called by the world outside, which has no token and may be a form on another site.
            if isHook { return nil }
            guard let given = Self.token(in: caller.authorization), Self.contains(given, in: tokens) else {
                return .signInNeeded
            }
        }
        let changes = isHook || ![.get, .head, .options].contains(caller.method)
        if changes, Self.isForeign(caller) {
            return .forbidden(
                "The request was made by a page of another site.",
                hint: "Use the dashboard itself, or call the API from a program rather than from a page.")
        }
        return nil
    }

    /// Whether a `Host` header names this machine itself.
    ///
    /// A page whose name was pointed at the loopback address
    /// (DNS rebinding) is told by its own name here.
    private static func isLoopbackHost(_ host: String) -> Bool {
        let name =
            if host.hasPrefix("[") { String(host.prefix { $0 != "]" }) + "]" } else {
                String(host.prefix { $0 != ":" })
            }
        return ["localhost", "127.0.0.1", "[::1]"].contains(name.lowercased())
    }

    /// Whether a browser says that the request comes from a page of another site.
    ///
    /// Programs send neither header.
    private static func isForeign(_ caller: Caller) -> Bool {
        if let site = caller.fetchSite { return site != "same-origin" && site != "none" }
        guard let origin = caller.origin else { return false }
        guard let scheme = origin.range(of: "://") else { return true }
        return origin[scheme.upperBound...].lowercased() != caller.host?.lowercased()
    }

    /// The token in an `Authorization` header.
    private static func token(in authorization: String?) -> String? {
        guard let authorization, let space = authorization.firstIndex(of: " ") else { return nil }
        let value = authorization[space...].drop { $0 == " " }
        switch authorization[..<space].lowercased() {
        case "bearer": return String(value)
        case "basic":
            guard let data = Data(base64Encoded: String(value)),
                let text = String(bytes: data, encoding: .utf8),
                let colon = text.firstIndex(of: ":")
            else { return nil }
            return String(text[text.index(after: colon)...])
        default: return nil
        }
    }

    /// Whether a token is one of those that are known, in a time that tells nothing about them: digests are
    /// compared, which `Crypto` does in constant time, and always all of them.
    private static func contains(_ given: String, in tokens: [String]) -> Bool {
        let digest = SHA256.hash(data: Data(given.utf8))
        return tokens.reduce(false) { found, token in
            let matches = SHA256.hash(data: Data(token.utf8)) == digest
            return found || matches
        }
    }
}

/// Why a server can't be started.
public struct ServerError: ExplainedError, Hashable {
    public let code: String
    public let message: String
    public let hint: String

    static func portInUse(_ port: Int, address: String) -> ServerError {
        ServerError(
            code: "PG4030", message: "Port \(port) on \(address) is in use by another program.",
            hint: "Stop that program, or choose another port with --port.")
    }

    static func tokensMissing(address: String) -> ServerError {
        ServerError(
            code: "PG4031", message: "\(address) can be reached by other machines, and no token is set.",
            hint: "Set PERIGEE_TOKENS to one or more tokens (separated by commas), or listen on 127.0.0.1.")
    }

    static func cannotListen(_ address: String, port: Int, reason: String) -> ServerError {
        ServerError(
            code: "PG4032", message: "The server can't listen on \(address) port \(port): \(reason).",
            hint: "Choose an address of this machine and a port that this user may open (1024 or higher).")
    }
}
