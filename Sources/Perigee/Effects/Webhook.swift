import Crypto
import Foundation
import PerigeeJournal

/// `http.webhook`: how a call is signed (Standard Webhooks).
struct Webhook: Sendable {
    /// Names the message: the same at every attempt and after every crash.
    let id: String
    /// Whether it is sent although its endpoint is disabled, which a good reply then enables.
    let enables: Bool
    private let secretName: String

    /// Reads `webhook = {…}`, as the stdlib gave it.
    ///
    /// - Parameters:
    ///   - secret: the name of the secret that signs.
    ///   - stepKey: names the step among all steps of all runs.
    init(_ given: JSON, secret: String?, stepKey: String) {
        id = "msg_" + stepKey.replacing("-", with: "")
        enables = given["enable"] == true
        secretName = secret ?? ""
    }

    /// Whether the receiver wants no more webhooks.
    func isGone(_ reply: HTTPReply) -> Bool { reply.status == 410 }

    /// The headers of one attempt.
    ///
    /// - Parameter secret: in clear; of several keys in it, each makes a signature.
    /// - Throws: ``SecretRefusal`` for a secret that holds anything but keys.
    func headers(
        _ secret: String, body: [UInt8], now: Timestamp
    ) throws(SecretRefusal) -> [(name: String, value: String)] {
        let seconds = "\(now.milliseconds / 1000)"
        guard let keys = WebhookKey.keys(in: secret),
            let signature = WebhookKey.signature(keys, id: id, timestamp: seconds, body: body)
        else { throw SecretRefusal.noWebhookKey(secretName) }
        return [
            ("webhook-id", id), ("webhook-timestamp", seconds), ("webhook-signature", signature),
        ]
    }
}

extension HTTPCall {
    /// Whether a reply is one for the script; a webhook takes no redirect for one.
    func isGood(_ reply: HTTPReply) -> Bool {
        webhook == nil ? reply.status < 400 : (200..<300).contains(reply.status)
    }
}

/// A key that signs webhooks.
enum WebhookKey: Sendable {
    /// `whsec_…`: shared with the receiver (HMAC-SHA256).
    case shared(SymmetricKey)
    /// `whsk_…`: the receiver has the public half of it (Ed25519).
    case `private`(Curve25519.Signing.PrivateKey)

    /// The keys in a text, with spaces between them; `nil` if anything in it is no key.
    static func keys(in text: String) -> [WebhookKey]? {
        let words = text.split(whereSeparator: \.isWhitespace)
        let keys = words.compactMap { WebhookKey($0) }
        return keys.isEmpty || keys.count < words.count ? nil : keys
    }

    /// The keys in a secret, with and without what they begin with; none where it is no such secret.
    static func texts(in secret: String) -> [String] {
        secret.split(whereSeparator: \.isWhitespace).flatMap { word in
            prefixes.first(where: word.hasPrefix).map {
                [String(word), String(word.dropFirst($0.count))]
            } ?? []
        }
    }

    private static let prefixes = ["whsec_", "whsk_"]

    /// One key, in Base64 with or without its padding.
    private init?(_ text: Substring) {
        guard let prefix = WebhookKey.prefixes.first(where: text.hasPrefix) else { return nil }
        let digits = text.dropFirst(prefix.count).prefix { $0 != "=" }
        let padding = String(repeating: "=", count: (4 - digits.utf8.count % 4) % 4)
        guard let bytes = Data(base64Encoded: digits + padding), !bytes.isEmpty else { return nil }
        guard prefix == "whsk_" else {
            self = .shared(SymmetricKey(data: bytes))
            return
        }
        // The seed alone, or with the public key after it.
        guard bytes.count == 32 || bytes.count == 64,
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes.prefix(32)),
            bytes.count == 32 || key.publicKey.rawRepresentation == bytes.suffix(32)
        else { return nil }
        self = .private(key)
    }

    /// `v1,…` for each shared key and `v1a,…` for each private one; `nil` if one of them can't sign.
    static func signature(_ keys: [WebhookKey], id: String, timestamp: String, body: [UInt8]) -> String? {
        let content = Data("\(id).\(timestamp).".utf8) + body
        let signatures = keys.compactMap { key -> String? in
            switch key {
            case .shared(let key):
                "v1,"
                    + Data(HMAC<SHA256>.authenticationCode(for: content, using: key)).base64EncodedString()
            case .private(let key):
                (try? key.signature(for: content)).map { "v1a," + $0.base64EncodedString() }
            }
        }
        return signatures.count < keys.count ? nil : signatures.joined(separator: " ")
    }
}
