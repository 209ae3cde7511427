import Perigee

/// What a call asks for, as mocks see it.
struct MockTarget: Hashable {
    let method: String
    /// In lower case, with its port unless that is the usual one.
    let host: String
    /// Starts with a slash.
    let path: String
    /// Without the question mark; empty when there is none.
    let query: String

    /// - Throws: ``HTTPFailure`` when the URL is not a complete one.
    init(method: String, url: String) throws(HTTPFailure) {
        let schemes = ["https://": ":443", "http://": ":80"]
        guard let scheme = schemes.first(where: { url.lowercased().hasPrefix($0.key) }) else {
            throw MockTarget.incomplete
        }
        let whole = url.dropFirst(scheme.key.count).prefix { $0 != "#" }
        let authority = whole.prefix { $0 != "/" && $0 != "?" }
        let rest = whole[authority.endIndex...]
        let path = rest.prefix { $0 != "?" }
        // What stands before an @ is a user name.
        let name = (authority.split(separator: "@").last ?? "").lowercased()
        host = name.hasSuffix(scheme.value) ? String(name.dropLast(scheme.value.count)) : name
        guard !host.isEmpty else { throw MockTarget.incomplete }
        self.method = method
        self.path = path.isEmpty ? "/" : String(path)
        query = String(rest[path.endIndex...].dropFirst())
    }

    private static let incomplete = HTTPFailure(
        kind: .rejected, code: "PG2006", message: "The URL of this call is not complete.",
        hint: "Start it with https:// and the name of the host.")
}

/// The key of a mock: `METHOD host/path`, with `*` for any run of characters.
struct MockPattern: Hashable {
    let text: String
    private let method: String
    private let target: String

    /// How many characters stand in it literally; of two patterns that match, the higher number wins.
    let literalLength: Int

    /// A pattern that can't match anything, and why.
    struct Fault: Error { let reason: String }

    init(_ text: String) throws(Fault) {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty else {
            throw Fault(
                reason:
                    "is not a method, a space, a host and its path, as in \"GET crm.example/customers/*\""
            )
        }
        guard MockPattern.methods.contains(String(parts[0])) else {
            throw Fault(reason: "starts with none of \(MockPattern.methods.joined(separator: ", "))")
        }
        guard !parts[1].contains("://") else {
            throw Fault(reason: "has a scheme; leave the part up to :// out")
        }
        self.text = text
        method = String(parts[0])
        let slash = parts[1].firstIndex(of: "/")
        let host = parts[1][..<(slash ?? parts[1].endIndex)].lowercased()
        // A lone * is every host and path; any other pattern without a path means the root.
        target = slash.map { host + parts[1][$0...] } ?? (host.hasSuffix("*") ? host : host + "/")
        literalLength = text.count { $0 != "*" }
    }

    func matches(_ call: MockTarget) -> Bool {
        guard method == "*" || method == call.method else { return false }
        let asked = target.contains("?") ? "\(call.host)\(call.path)?\(call.query)" : call.host + call.path
        return MockPattern.glob(Array(target.utf8), matches: Array(asked.utf8))
    }

    static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "*"]

    /// Whether the text fits a pattern where `*` stands for any run of bytes.
    private static func glob(_ pattern: [UInt8], matches text: [UInt8]) -> Bool {
        var p = 0
        var t = 0
        // Where to go on when a literal does not fit: behind the last star, which then takes one byte more.
        var retry: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                retry = (p + 1, t)
                p += 1
            } else if p < pattern.count, pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let last = retry {
                retry = (last.pattern, last.text + 1)
                (p, t) = (last.pattern, last.text + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
