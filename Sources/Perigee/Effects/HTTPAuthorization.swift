import Crypto
import Foundation
import PerigeeJournal

/// `auth = …` of a call, with secrets in clear.
enum HTTPAuthorization: Sendable {
    case bearer(String)
    case basic(user: String, password: String)
    /// OAuth 2.0: a token is fetched first.
    case clientCredentials(ClientCredentials)
    case signature(BodySignature)

    /// - Throws: ``ScriptError`` when it is none of these.
    init(_ auth: JSON) throws(ScriptError) {
        if let token = auth.string ?? auth["bearer"]?.string {
            self = .bearer(token)
        } else if let user = auth["user"]?.string, let password = auth["password"]?.string {
            self = .basic(user: user, password: password)
        } else if let credentials = auth["oauth2"].flatMap(ClientCredentials.init) {
            self = .clientCredentials(credentials)
        } else if let signature = auth["hmac"].flatMap(BodySignature.init) {
            self = .signature(signature)
        } else {
            throw ScriptError(
                code: "PG1015", kind: "validation",
                message: "`auth` is neither a token, nor a user with a password, nor `oauth2`, nor `hmac`.",
                hint:
                    "Write auth = secret \"TOKEN\" or auth = { user = \"me\", password = secret \"PASSWORD\" }."
            )
        }
    }

    /// The headers that prove who is calling.
    ///
    /// - Parameters:
    ///   - body: what is signed.
    ///   - token: the access token, where one was fetched.
    func headers(body: [UInt8], token: String?) -> [(name: String, value: String)] {
        switch self {
        case .bearer(let token): [("Authorization", "Bearer \(token)")]
        case .basic(let user, let password):
            [("Authorization", "Basic \(Data("\(user):\(password)".utf8).base64EncodedString())")]
        case .clientCredentials: token.map { [("Authorization", "Bearer \($0)")] } ?? []
        case .signature(let signature): [(signature.header, signature.value(of: body))]
        }
    }
}

/// A body signed with a shared secret (RFC 2104).
struct BodySignature: Sendable {
    let header: String
    private let secret: String
    private let algorithm: String
    private let prefix: String
    private let isBase64: Bool

    fileprivate init?(_ given: JSON) {
        guard let header = given["header"]?.string, let secret = given["secret"]?.string else { return nil }
        self.header = header
        self.secret = secret
        algorithm = given["algorithm"]?.string ?? "sha256"
        prefix = given["prefix"]?.string ?? ""
        isBase64 = given["encoding"]?.string == "base64"
    }

    func value(of body: [UInt8]) -> String {
        let key = SymmetricKey(data: Data(secret.utf8))
        let code: [UInt8] =
            switch algorithm {
            case "sha384": Array(HMAC<SHA384>.authenticationCode(for: body, using: key))
            case "sha512": Array(HMAC<SHA512>.authenticationCode(for: body, using: key))
            default: Array(HMAC<SHA256>.authenticationCode(for: body, using: key))
            }
        return prefix + (isBase64 ? Data(code).base64EncodedString() : code.hexadecimal)
    }
}
