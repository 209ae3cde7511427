public import PerigeeJournal

/// Which addresses the calls of workflows may reach.
///
/// Without exceptions these are the addresses of the public internet: nothing on this machine, in a private
/// network or of a cloud's metadata service, whatever name leads there.
public struct EgressPolicy: Sendable {
    /// Hosts that may be called wherever they are.
    public var allowedHosts: [AllowedHost]
    /// Whether this machine itself (127.0.0.0/8, ::1) may be called, under any name and port.
    public var allowsLoopback: Bool

    public init(allowedHosts: [AllowedHost] = [], allowsLoopback: Bool = false) {
        self.allowedHosts = allowedHosts
        self.allowsLoopback = allowsLoopback
    }

    func opens(host: String, port: Int) -> Bool {
        allowedHosts.contains { $0.host == host && ($0.port == nil || $0.port == port) }
    }

    func permits(_ address: IPAddress) -> Bool {
        address.isPublic || (allowsLoopback && address.isLoopback)
    }
}

/// A host, as written in the URLs of calls, that is opened to them: `--allow-host HOST[:PORT]`.
public struct AllowedHost: Hashable, Sendable {
    /// A name in lower case, or an address in its shortest form and without brackets.
    public let host: String
    /// From 1 to 65,535; every port when absent.
    public let port: Int?

    /// Reads `HOST`, `HOST:PORT`, `[::1]` or `[::1]:PORT`.
    ///
    /// - Throws: ``AllowedHostError`` for any other text.
    public init(parsing text: String) throws(AllowedHostError) {
        let wrong = AllowedHostError(text: text)
        var hostText = text[...]
        var portText: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw wrong }
            hostText = text[...end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw wrong }
            portText = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            hostText = text[..<colon]
            portText = text[text.index(after: colon)...]
        }
        guard let host = canonicalHost(String(hostText)) else { throw wrong }
        self.host = host
        guard let portText else {
            port = nil
            return
        }
        guard portText.allSatisfy(\.isASCIIDigit), let number = Int(portText), (1...65_535).contains(number)
        else {
            throw wrong
        }
        port = number
    }
}

/// A text that is not `HOST[:PORT]`.
public struct AllowedHostError: ExplainedError, Hashable {
    /// What was given.
    public let text: String

    public var code: String { "PG2008" }
    public var message: String { "\"\(text)\" is not a host that can be allowed." }
    public var hint: String {
        "Write HOST or HOST:PORT, such as crm.internal, 127.0.0.1:8080 or [::1]:8080, without http://."
    }
}

/// The one spelling of a host that comparisons use, or nil for what is neither a name nor an address.
///
/// An IPv6 address stands in brackets, as in a URL.
func canonicalHost(_ text: String) -> String? {
    if text.hasPrefix("["), text.hasSuffix("]") {
        let inside = text.dropFirst().dropLast()
        return inside.contains(":") ? IPAddress(String(inside)).map(\.description) : nil
    }
    if let address = IPAddress(text) { return text.contains(":") ? nil : address.description }
    let name = text.lowercased()
    let bare = name.hasSuffix(".") ? String(name.dropLast()) : name
    let labels = bare.split(separator: ".", omittingEmptySubsequences: false)
    let isName =
        bare.utf8.count <= 253
        && labels.allSatisfy { label in
            (1...63).contains(label.utf8.count)
                && label.allSatisfy { $0.isASCIIDigit || ("a"..."z").contains($0) || $0 == "-" || $0 == "_" }
        }
    return isName ? bare : nil
}

extension Character {
    fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}
