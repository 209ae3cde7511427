import Foundation
import PerigeeJournal

/// What an access token is fetched with: the client credentials grant (RFC 6749, 4.4).
///
/// Two calls with equal ones share a token.
struct ClientCredentials: Hashable, Sendable {
    private let tokenURL: String
    private let clientID: String
    private let clientSecret: String
    private let scope: String?
    private let audience: String?

    /// How long a token is kept whose server does not say how long it is good for, in seconds.
    private static let defaultLifetime: Int64 = 300

    init?(_ given: JSON) {
        guard let tokenURL = given["token_url"]?.string, let clientID = given["client_id"]?.string,
            let clientSecret = given["client_secret"]?.string
        else { return nil }
        self.tokenURL = tokenURL
        self.clientID = clientID
        self.clientSecret = clientSecret
        scope = given["scope"]?.string
        audience = given["audience"]?.string
    }

    /// The request for a token.
    ///
    /// The client proves itself by Basic authentication, as every server must take it.
    func request(timeoutMilliseconds: Int) -> HTTPRequest {
        var form: [String: JSON] = ["grant_type": "client_credentials"]
        form["scope"] = scope.map(JSON.string)
        form["audience"] = audience.map(JSON.string)
        let client = "\(HTTPBody.percentEncoded(clientID)):\(HTTPBody.percentEncoded(clientSecret))"
        return HTTPRequest(
            method: "POST", url: tokenURL,
            headers: [
                ("Authorization", "Basic \(Data(client.utf8).base64EncodedString())"),
                ("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json"),
                ("User-Agent", "Perigee"),
            ], body: Array(HTTPBody.formEncoded(form).utf8), timeoutMilliseconds: timeoutMilliseconds,
            maxReplyBytes: 65_536)
    }

    /// The token in a reply, and for how many seconds it is good.
    func read(_ reply: HTTPReply) -> Result<AccessToken, HTTPFailure> {
        let json = try? JSON(parsing: reply.body)
        guard reply.status == 200 else { return .failure(refused(reply.status, json)) }
        let type = json?["token_type"]?.string ?? "Bearer"
        guard let token = json?["access_token"]?.string, !token.isEmpty, type.lowercased() == "bearer",
            token.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            return .failure(
                HTTPFailure(
                    kind: .rejected, code: "PG2161",
                    message: "\(HTTPCall.shown(tokenURL)) answered without a bearer token that can be used.",
                    hint: "Check token_url: it is the address that grants tokens, not the one of the service."
                ))
        }
        let given = json?["expires_in"]
        let lifetime = given?.int ?? given?.string.flatMap(Int64.init) ?? ClientCredentials.defaultLifetime
        return .success(AccessToken(text: token, seconds: min(max(lifetime, 0), 86_400 * 365)))
    }

    private func refused(_ status: Int, _ json: JSON?) -> HTTPFailure {
        // The words of the standard's own fields; whoever repeats the secret in them does not get it recorded.
        let said = [json?["error"]?.string, json?["error_description"]?.string].compactMap(\.self)
            .joined(separator: ": ").replacing(clientSecret, with: "[secret]").prefix(300)
        let mayPass = status >= 500 || [408, 425, 429].contains(status)
        return HTTPFailure(
            kind: mayPass ? .network : .rejected, code: "PG2160",
            message: "\(HTTPCall.shown(tokenURL)) granted no access token: it answered \(status)"
                + (said.isEmpty ? "." : " (\(said))."),
            hint: "Check client_id, client_secret and scope of `oauth2`.")
    }
}

/// An access token as it was granted.
struct AccessToken: Sendable {
    let text: String
    /// How long it is good for.
    let seconds: Int64
}
