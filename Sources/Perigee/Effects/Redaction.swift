import Foundation

/// What must not be recorded of a reply that repeats it: the secrets of a call, and what was made of them.
struct Redaction: Sendable {
    /// Shorter texts stand in replies by chance, and are no secret.
    static let minBytes = 6

    private var hidden: [(bytes: [UInt8], shown: [UInt8])] = []

    /// - Parameters:
    ///   - secrets: the values of the secrets that the call uses, by their names.
    ///   - authorization: the header `Authorization` as it is sent, if there is one.
    ///   - token: the access token that was fetched for the call, if there is one.
    init(secrets: [String: String], authorization: String?, token: String?) {
        if let token { hide(token, as: "[token]") }
        for (name, value) in secrets.sorted(by: { $0.key < $1.key }) {
            let encoded = [HTTPBody.percentEncoded(value), Redaction.inQuery(value)]
            let forms = [value] + encoded + WebhookKey.texts(in: value)
            for form in forms { hide(form, as: "[secret \(name)]") }
        }
        if let credentials = authorization?.split(separator: " ").last.map(String.init) {
            hide(credentials, as: "[authorization]")
        }
        // What holds another one goes first.
        hidden.sort { $0.bytes.count > $1.bytes.count }
    }

    /// As it stands in an address, where fewer characters are encoded than in a form.
    private static func inQuery(_ value: String) -> String {
        var parts = URLComponents()
        parts.queryItems = [URLQueryItem(name: "", value: value)]
        return String((parts.percentEncodedQuery ?? "").dropFirst()).replacing("+", with: "%2B")
    }

    private mutating func hide(_ text: String, as shown: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= Redaction.minBytes, !hidden.contains(where: { $0.bytes == bytes }) else {
            return
        }
        hidden.append((bytes, Array(shown.utf8)))
    }

    /// The reply without them.
    func applied(to reply: HTTPReply) -> HTTPReply {
        guard !hidden.isEmpty else { return reply }
        var reply = reply
        reply.headers = reply.headers.map { header in
            (header.name, String(decoding: applied(to: Array(header.value.utf8)), as: UTF8.self))
        }
        reply.body = applied(to: reply.body)
        return reply
    }

    private func applied(to bytes: [UInt8]) -> [UInt8] {
        hidden.reduce(bytes) { bytes, one in
            Data(bytes).range(of: Data(one.bytes)) == nil
                ? bytes : bytes.replacing(one.bytes, with: one.shown)
        }
    }
}
