import Crypto
import Foundation
import PerigeeJournal
import PerigeeLua

/// `http.post(label, {…})` as a script wrote it: what to send, how often, and for how long.
struct HTTPCall: Sendable {
    let method: String
    let url: String
    let retry: RetryPolicy
    let throttle: (limit: Int, milliseconds: Int64)?
    /// The same for every attempt and every recovery; `nil` for GET and HEAD.
    let idempotencyKey: String?
    let label: String
    private let correlationID: String
    private let arguments: JSON
    private let secrets: [SecretUse]

    /// The default of `timeout`, in milliseconds.
    static let defaultTimeout: Int64 = 30_000
    /// The default of `max_bytes`: the largest reply body.
    static let defaultMaxBytes: Int64 = 1_048_576
    /// The largest reply body that a script may ask for.
    static let maxMaxBytes: Int64 = 16 * 1_048_576

    init(_ arguments: JSON, secrets: [SecretUse], step: Step, run: RunRecord) throws(ScriptError) {
        self.arguments = arguments
        self.secrets = secrets
        correlationID = run.correlationID
        label = step.address.label
        method = arguments["method"]?.string ?? "GET"
        guard let base = arguments["url"]?.string, let url = HTTPCall.address(base, query: arguments["query"])
        else {
            throw ScriptError(
                code: "PG1015", kind: "validation", message: "\(step.verb): the URL can't be used.",
                hint:
                    "Write an absolute http or https URL; values in `query` are text, numbers or lists of them."
            )
        }
        self.url = url
        retry = try RetryPolicy(arguments["retry"])
        throttle = arguments["throttle"].flatMap { given in
            guard let limit = given["limit"]?.int, let milliseconds = given["milliseconds"]?.int else {
                return nil
            }
            return (Int(clamping: max(1, limit)), milliseconds)
        }
        let isSafe = method == "GET" || method == "HEAD"
        idempotencyKey =
            arguments["idempotency"]?.string
            ?? (isSafe ? nil : HTTPCall.key(run: run.id, address: step.address))
    }

    /// Host and path without query, as people are shown them: `quotes.example/quotes`.
    var shownTarget: String { HTTPCall.shown(url) }

    static func shown(_ url: String) -> String {
        guard let parts = URLComponents(string: url) else { return "an unusable URL" }
        return (parts.host ?? "?") + (parts.port.map { ":\($0)" } ?? "")
            + (parts.path == "/" ? "" : parts.path)
    }

    /// What the throttle counts together: one host.
    var throttleKey: String {
        URLComponents(string: url).map { "\($0.host ?? ""):\($0.port ?? 0)" } ?? url
    }

    /// The request of one attempt, with secrets in clear.
    ///
    /// - Throws: ``ScriptError`` for a secret that is not set, or a header that can't be sent.
    func request(attempt: Int, settings: Settings) throws(ScriptError) -> HTTPRequest {
        let filled = try filled(settings)
        var headers = try HTTPCall.headers(filled["headers"])
        if let auth = filled["auth"] { try HTTPCall.authorize(&headers, auth) }
        let body = HTTPCall.body(filled, &headers)
        if let idempotencyKey { headers.append(("Idempotency-Key", idempotencyKey)) }
        if !headers.contains(where: { $0.name.lowercased() == "x-correlation-id" }) {
            headers.append(("X-Correlation-Id", correlationID))
        }
        headers.append(("User-Agent", "Perigee"))
        guard let url = filled["url"]?.string.flatMap({ HTTPCall.address($0, query: filled["query"]) }) else {
            throw ScriptError(
                code: "PG1015", kind: "validation", message: "\(label): the URL can't be used.",
                hint: "Write an absolute http or https URL.")
        }
        let maxBytes = min(arguments["max_bytes"]?.int ?? HTTPCall.defaultMaxBytes, HTTPCall.maxMaxBytes)
        return HTTPRequest(
            method: method, url: url, headers: headers, body: body,
            timeoutMilliseconds: Int(
                clamping: max(1, arguments["timeout_milliseconds"]?.int ?? HTTPCall.defaultTimeout)),
            maxReplyBytes: Int(clamping: maxBytes), attempt: attempt)
    }

    /// The arguments with every secret's value in its place.
    private func filled(_ settings: Settings) throws(ScriptError) -> JSON {
        var filled = arguments
        for use in secrets {
            guard let value = settings.secret(use.name) else {
                throw ScriptError(
                    code: "PG2030", kind: "validation",
                    message: "The secret \"\(use.name)\" is not set in this deployment.",
                    hint: "Set PERIGEE_SECRET_\(use.name), or put it into a file: perigee explain PG2030.")
            }
            // A pointer begins with the place of the options among the verb's arguments: /2/json/token
            let path = use.pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst(2)
            filled = filled.replacing(
                path.map { String($0).replacing("~1", with: "/").replacing("~0", with: "~") }, with: value)
        }
        return filled
    }

    private static func key(run: String, address: StepAddress) -> String {
        let digest = Array(SHA256.hash(data: Array("\(run)\(address)".utf8)))
        let hex = digest.prefix(16).hexadecimal
        let groups = [
            hex.prefix(8), hex.dropFirst(8).prefix(4), hex.dropFirst(12).prefix(4),
            hex.dropFirst(16).prefix(4),
            hex.dropFirst(20),
        ]
        return groups.joined(separator: "-")
    }

    private static func address(_ base: String, query: JSON?) -> String? {
        guard var parts = URLComponents(string: base), parts.host != nil, parts.scheme != nil else {
            return nil
        }
        guard let query = query?.object, !query.isEmpty else { return base }
        var items = parts.queryItems ?? []
        for (name, value) in query.sorted(by: { $0.key < $1.key }) {
            for one in value.array ?? [value] {
                guard let text = scalar(one) else { return nil }
                items.append(URLQueryItem(name: name, value: text))
            }
        }
        parts.queryItems = items
        // URLComponents leaves a plus as it is, which servers read as a space.
        parts.percentEncodedQuery = parts.percentEncodedQuery?.replacing("+", with: "%2B")
        return parts.string
    }

    private static func scalar(_ value: JSON) -> String? {
        switch value {
        case .string(let text): text
        case .int, .double, .bool: value.text
        case .null, .array, .object: nil
        }
    }

    private static func headers(_ given: JSON?) throws(ScriptError) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        for (name, value) in (given?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let text = scalar(value) else {
                throw ScriptError(
                    code: "PG1015", kind: "validation", message: "The header \(name) is \(value.kindName).",
                    hint: "Header values are text or numbers.")
            }
            headers.append((name, text))
        }
        return headers
    }

    /// `auth = secret "TOKEN"` is a bearer token; `{ user, password }`, `{ bearer }` say what they are.
    private static func authorize(_ headers: inout [(name: String, value: String)], _ auth: JSON)
        throws(ScriptError)
    {
        if let token = auth.string ?? auth["bearer"]?.string {
            headers.append(("Authorization", "Bearer \(token)"))
        } else if let user = auth["user"]?.string, let password = auth["password"]?.string {
            headers.append(
                ("Authorization", "Basic \(Data("\(user):\(password)".utf8).base64EncodedString())"))
        } else {
            throw ScriptError(
                code: "PG1015", kind: "validation",
                message: "`auth` is neither a token nor a user with a password.",
                hint:
                    "Write auth = secret \"TOKEN\" or auth = { user = \"me\", password = secret \"PASSWORD\" }."
            )
        }
    }

    private static func body(_ arguments: JSON, _ headers: inout [(name: String, value: String)]) -> [UInt8] {
        func type(_ type: String) {
            if !headers.contains(where: { $0.name.lowercased() == "content-type" }) {
                headers.append(("Content-Type", type))
            }
        }
        if let json = arguments["json"] {
            type("application/json")
            return json.bytes
        }
        if let form = arguments["form"]?.object {
            type("application/x-www-form-urlencoded")
            return Array(formEncoded(form).utf8)
        }
        guard let text = arguments["text"]?.string else { return [] }
        type("text/plain; charset=utf-8")
        return Array(text.utf8)
    }

    private static func formEncoded(_ form: [String: JSON]) -> String {
        let unreserved = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        func encode(_ text: String) -> String {
            text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
        }
        return form.sorted { $0.key < $1.key }.flatMap { name, value in
            (value.array ?? [value]).map { "\(encode(name))=\(encode(scalar($0) ?? $0.text))" }
        }.joined(separator: "&")
    }
}

extension JSON {
    /// The value with the text at a path exchanged.
    fileprivate func replacing(_ path: [String], with text: String) -> JSON {
        guard let first = path.first else { return .string(text) }
        switch self {
        case .object(var fields):
            if let inner = fields[first] {
                fields[first] = inner.replacing(Array(path.dropFirst()), with: text)
            }
            return .object(fields)
        case .array(var elements):
            if let index = Int(first), elements.indices.contains(index) {
                elements[index] = elements[index].replacing(Array(path.dropFirst()), with: text)
            }
            return .array(elements)
        default: return self
        }
    }
}
