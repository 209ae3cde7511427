import Perigee

/// One request on the wire: the call itself, or what a redirect made of it.
struct Hop: Sendable {
    let destination: Destination
    let method: String
    let headers: [(name: String, value: String)]
    let body: [UInt8]
    /// The names of headers that hold secrets, in lower case.
    private let secretHeaders: Set<String>

    private init(
        _ destination: Destination, _ method: String, _ headers: [(name: String, value: String)],
        _ body: [UInt8], _ secretHeaders: Set<String>
    ) {
        self.destination = destination
        self.method = method
        self.headers = headers
        self.body = body
        self.secretHeaders = secretHeaders
    }

    /// The first request of a call.
    ///
    /// - Throws: ``HTTPFailure`` when it can't be sent as it is.
    init(_ request: HTTPRequest) throws(HTTPFailure) {
        let destination = try Destination(request.url)
        guard Hop.methods.contains(request.method) else {
            throw .unusable(
                "This host does not send \(request.method.prefix(20).debugDescription) requests.",
                "Use one of \(Hop.methods.joined(separator: ", ")).")
        }
        for header in request.headers { try Hop.check(header.name, header.value) }
        self.init(
            destination, request.method, request.headers, request.body, request.secretHeaders)
    }

    /// The request that a reply redirects to; nil when the reply is the answer of the call.
    ///
    /// Only a GET or HEAD without a body is asked again elsewhere: anything else could be carried out twice.
    /// What proves who is calling stays behind when the host, the port or the scheme changes.
    /// - Throws: ``HTTPFailure`` when the redirect leads to what can't be called.
    func following(_ reply: HTTPReply) throws(HTTPFailure) -> Hop? {
        guard [301, 302, 303, 307, 308].contains(reply.status), method == "GET" || method == "HEAD",
            body.isEmpty,
            let location = reply.header("location")
        else { return nil }
        let next = try Destination(
            location, from: destination, called: "The URL that \(destination.name) redirects to")
        let stays =
            (next.scheme, next.host, next.port) == (destination.scheme, destination.host, destination.port)
        let kept = stays ? headers : headers.filter { !isCredential($0.name) }
        return Hop(next, method, kept, [], secretHeaders)
    }

    private static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    private func isCredential(_ name: String) -> Bool {
        let name = name.lowercased()
        return secretHeaders.contains(name)
            || ["authorization", "proxy-authorization", "cookie", "host"].contains(name)
            || ["token", "key", "secret", "signature"].contains { name.contains($0) }
    }

    private static func check(_ name: String, _ value: String) throws(HTTPFailure) {
        guard !name.isEmpty, name.utf8.allSatisfy(isNameByte) else {
            throw .unusable(
                "\(name.prefix(40).debugDescription) can't be the name of a header.",
                "Use letters, digits and hyphens.")
        }
        // A line break in a value would let it write headers, or a whole request, of its own.
        guard value.utf8.allSatisfy({ $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }) else {
            throw .unusable(
                "The value of the header \(name) has a line break or another control character in it.",
                "Take it out; a secret that was read from a file often ends with one.")
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
