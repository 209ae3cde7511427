import Foundation
public import PerigeeJournal

/// An HTTP proxy that all calls go through, as tunnels (CONNECT).
public struct CallProxy: Hashable, Sendable {
    let host: String
    let port: Int
    let user: String?
    let password: String

    /// Reads `http://[USER:PASSWORD@]HOST:PORT`.
    ///
    /// - Throws: ``CallProxyError`` for any other text.
    public init(parsing text: String) throws(CallProxyError) {
        guard let url = URLComponents(string: text), url.scheme?.lowercased() == "http",
            let written = url.encodedHost, let host = canonicalHost(written),
            let port = url.port, (1...65_535).contains(port),
            url.path.isEmpty || url.path == "/", url.query == nil, url.fragment == nil
        else { throw CallProxyError() }
        self.host = host
        self.port = port
        user = url.user
        password = url.password ?? ""
    }

    /// How it is named to people.
    var name: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// A text that is no ``CallProxy``; it is not quoted, since it can hold a password.
public struct CallProxyError: ExplainedError, Hashable {
    public var code: String { "PG2184" }
    public var message: String { "The proxy for calls is no address of an HTTP proxy." }
    public var hint: String { "Write http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT." }
}
