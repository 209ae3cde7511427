import Foundation

/// The hosts that a secret may be sent to.
struct HostBinding: Hashable, Sendable {
    /// As `api.example`, `*.example` or `api.example:8443`, each once; empty if it may be sent to any.
    let hosts: [String]

    /// The most hosts of a secret of the store.
    static let mostHosts = 100

    static let anywhere = HostBinding(checked: [])

    private init(checked hosts: [String]) { self.hosts = hosts }

    /// Reads a list of hosts.
    ///
    /// - Returns: `nil` if there is none, or one can't be read.
    init?(_ given: [String]) {
        var hosts: [String] = []
        for text in given {
            guard let pattern = Pattern(text) else { return nil }
            if !hosts.contains(pattern.text) { hosts.append(pattern.text) }
        }
        guard !hosts.isEmpty else { return nil }
        self.hosts = hosts
    }

    /// Reads hosts that are separated by commas, spaces or line ends.
    init?(list: String) {
        self.init(list.split { $0 == "," || $0.isWhitespace }.map(String.init))
    }

    /// Whether a host can be one of a binding.
    static func isHost(_ text: String) -> Bool { Pattern(text) != nil }

    /// Whether a secret may be sent to a URL.
    ///
    /// A URL is taken apart as the transport does it. One that programs may read in two ways is permitted nowhere: its
    /// host is written in an unusual way, or something stands before it.
    func permits(_ url: String) -> Bool {
        if hosts.isEmpty { return true }
        guard let url = URL(string: url)?.absoluteURL, url.user(percentEncoded: true) == nil,
            let host = url.host(percentEncoded: true), let name = Pattern.canonical(host)
        else { return false }
        let port = url.port ?? (url.scheme?.lowercased() == "https" ? 443 : 80)
        return hosts.contains { Pattern($0)?.matches(name, port) ?? false }
    }

    /// One host, or all below a name.
    private struct Pattern {
        let host: String
        let isWildcard: Bool
        let port: Int?

        init?(_ text: String) {
            isWildcard = text.hasPrefix("*.")
            var rest = isWildcard ? text.dropFirst(2) : text[...]
            let tail = rest.drop { $0 != "]" }
            if let colon = (tail.isEmpty ? rest : tail).lastIndex(of: ":") {
                let digits = rest[rest.index(after: colon)...]
                guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits),
                    (1...65_535).contains(number)
                else { return nil }
                port = number
                rest = rest[..<colon]
            } else {
                port = nil
            }
            let isAddress = rest.hasPrefix("[") || rest.allSatisfy { $0.isNumber || $0 == "." }
            guard !(isWildcard && isAddress), rest.contains(":") == rest.hasPrefix("["),
                let host = Pattern.canonical(String(rest))
            else { return nil }
            self.host = host
        }

        var text: String {
            let name = host.contains(":") ? "[\(host)]" : host
            return (isWildcard ? "*." : "") + name + (port.map { ":\($0)" } ?? "")
        }

        func matches(_ host: String, _ port: Int) -> Bool {
            (self.port == nil || self.port == port)
                && (isWildcard ? host.hasSuffix("." + self.host) : host == self.host)
        }

        /// A name in lower case, or an address without brackets; `nil` for what is neither.
        static func canonical(_ text: String) -> String? {
            var name = text.lowercased()[...]
            if name.contains(":") {
                if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
                return name.allSatisfy { $0.isHexDigit && $0.isASCII || $0 == ":" || $0 == "." }
                    ? String(name) : nil
            }
            if name.hasSuffix(".") { name = name.dropLast() }
            let isName = name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                (1...63).contains(label.utf8.count)
                    && label.utf8.allSatisfy { byte in
                        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
                            || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "_-".utf8.contains(byte)
                    }
            }
            return isName && name.utf8.count <= 253 ? String(name) : nil
        }
    }
}
