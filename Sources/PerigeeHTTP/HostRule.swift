public import PerigeeJournal

/// Hosts of calls, by scheme, name or address, and port: what `--allow-host`, `--deny-host` and `--only-host` take.
///
/// A name is compared with the host as the URL of a call has it. An address or a range is compared with the
/// addresses that the host leads to, whatever its name.
public struct HostRule: Hashable, Sendable {
    enum Host: Hashable, Sendable {
        case any
        /// In lower case.
        case name(String)
        /// With its leading dot; the name behind the dot is not meant itself.
        case suffix(String)
        case network(Network)
    }

    /// The rule as it was written.
    public let text: String
    /// `http` or `https`; both when absent.
    let scheme: String?
    let host: Host
    /// From 1 to 65,535; every port when absent.
    let port: Int?

    /// Reads `[SCHEME://]HOST[:PORT]`, where HOST is a name, `*.suffix`, an address, a range such as
    /// `10.0.0.0/8` or `[fd00::]/8`, or `*` for every host.
    ///
    /// - Throws: ``HostRuleError`` for any other text.
    public init(parsing text: String) throws(HostRuleError) {
        var rest = text[...]
        var scheme: String?
        if let mark = rest.firstRange(of: "://") {
            scheme = rest[..<mark.lowerBound].lowercased()
            rest = rest[mark.upperBound...]
        }
        guard scheme == nil || scheme == "http" || scheme == "https",
            let (hostText, portText) = hostAndPort(rest), let host = HostRule.host(hostText)
        else { throw HostRuleError(text: text) }
        var port: Int?
        if let portText {
            guard portText.allSatisfy(\.isASCIIDigit), let number = Int(portText),
                (1...65_535).contains(number)
            else { throw HostRuleError(text: text) }
            port = number
        }
        self.text = text
        self.scheme = scheme
        self.host = host
        self.port = port
    }

    private static func host(_ text: Substring) -> Host? {
        if text == "*" { return .any }
        if text.hasPrefix("*.") {
            // What looks like the end of an address is no suffix of names.
            guard let name = canonicalHost(String(text.dropFirst(2))), name.contains(where: \.isLetter) else {
                return nil
            }
            return .suffix("." + name)
        }
        if text.contains("/") { return Network(text).map(Host.network) }
        guard let name = canonicalHost(String(text)) else { return nil }
        return IPAddress(name).map { .network(Network($0)) } ?? .name(name)
    }

    /// Whether the scheme and the port are meant.
    func covers(scheme: String, port: Int) -> Bool {
        (self.scheme ?? scheme) == scheme && (self.port ?? port) == port
    }

    /// Whether a host is meant by its name alone.
    func names(_ destination: Destination) -> Bool {
        guard covers(scheme: destination.scheme, port: destination.port) else { return false }
        return switch host {
        case .any: true
        case .name(let name): destination.host == name
        case .suffix(let suffix): destination.host.hasSuffix(suffix)
        case .network(let network): IPAddress(destination.host).map(network.contains) ?? false
        }
    }

    /// The range that is meant, when the rule is about addresses.
    var network: Network? {
        if case .network(let network) = host { network } else { nil }
    }
}

/// A text that is no ``HostRule``.
public struct HostRuleError: ExplainedError, Hashable {
    /// What was given.
    public let text: String

    public var code: String { "PG2008" }
    public var message: String { "\"\(text)\" is no rule for hosts." }
    public var hint: String {
        "Write HOST or HOST:PORT, such as crm.internal, *.acme.example, 127.0.0.1:8080, [::1]:8080 or "
            + "10.0.0.0/8, with http:// or https:// before it if only that is meant."
    }
}

/// Takes `HOST[:PORT]` apart, where the host may be an IPv6 address in brackets or a range of addresses.
private func hostAndPort(_ text: Substring) -> (host: Substring, port: Substring?)? {
    // The colons of an IPv6 address stand before the bracket that ends it, or before the slash of a range.
    let end = text.lastIndex { $0 == "]" || $0 == "/" } ?? text.startIndex
    guard let colon = text[end...].firstIndex(of: ":") else { return (text, nil) }
    return (text[..<colon], text[text.index(after: colon)...])
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
