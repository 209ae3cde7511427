import Crypto
import Foundation
import PerigeeJournal
import PerigeeLua

/// `http.post(label, {…})` as a script wrote it: what to send, how often, and for how long.
struct HTTPCall: Sendable {
    let method: String
    let url: String
    let retry: RetryPolicy
    /// The gate of its destination; `nil` if it keeps to nothing there.
    let gate: GateTicket?
    /// Whether it is sent at most once.
    let isOnce: Bool
    /// How it is signed where it is a webhook.
    let webhook: Webhook?
    /// How old the last good reply may be that is given in place of none, in milliseconds.
    let staleMilliseconds: Int64?
    /// The same for every attempt and every recovery; `nil` for GET and HEAD.
    let idempotencyKey: String?
    let label: String
    /// How many attempts were made before.
    var made = 0
    /// When the first of them began.
    var since: Timestamp?
    /// The wait by which the time of this attempt came; it is held until the attempt has ended.
    var turn: String?
    /// Whether its gate let this attempt through.
    var isAdmitted = false
    /// Too many calls to its destination fail: it is not sent, and the next one is tried at this moment.
    var refusedUntil: Timestamp?
    private let idempotencyHeader: IdempotencyHeader
    /// Names the step among all steps of all runs.
    private let stepKey: String
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
        gate = arguments["gate"].map { HTTPCall.ticket($0, url: url, arguments) }
        isOnce = arguments["once"] == true
        staleMilliseconds = arguments["stale_milliseconds"]?.int
        let isSafe = method == "GET" || method == "HEAD"
        let stepKey = HTTPCall.key(run: run.id, address: step.address)
        self.stepKey = stepKey
        let signing = secrets.first { HTTPCall.path($0) == ["webhook", "secret"] }
        webhook = arguments["webhook"].map { Webhook($0, secret: signing?.name, stepKey: stepKey) }
        retry = try RetryPolicy(arguments["retry"], isWebhook: webhook != nil)
        idempotencyKey = arguments["idempotency"]?.string ?? (isSafe ? nil : stepKey)
        idempotencyHeader = IdempotencyHeader(arguments["idempotency_header"])
    }

    /// Host and path without query, as people are shown them: `quotes.example/quotes`.
    var shownTarget: String { HTTPCall.shown(url) }

    static func shown(_ url: String) -> String {
        guard let parts = URLComponents(string: url) else { return "an unusable URL" }
        return shownHost(url) + (parts.path == "/" ? "" : parts.path)
    }

    static func shownHost(_ url: String) -> String {
        let parts = URLComponents(string: url)
        return (parts?.host ?? "?") + (parts?.port.map { ":\($0)" } ?? "")
    }

    /// Names what it asks for: the same for the same request of whatever run.
    var content: String {
        let names = ["auth", "query", "headers", "json", "form", "multipart", "text", "base64"]
        let parts = names.map { arguments[$0] ?? .null } + secrets.map { .string("\($0.pointer) \($0.name)") }
        let asked = Array("\(method) \(url) ".utf8) + JSON.array(parts).bytes
        return SHA256.hash(data: asked).prefix(16).hexadecimal
    }

    /// The request of one attempt, with secrets in clear.
    ///
    /// - Parameters:
    ///   - secrets: as ``secretValues(_:)`` gave them.
    ///   - token: the access token, where the call has ``clientCredentials(_:)``.
    ///   - now: when the attempt is made.
    /// - Throws: ``ScriptError`` for a header that can't be sent, ``SecretRefusal`` for a secret that can't sign.
    func request(
        attempt: Int, secrets: [String: String], token: String? = nil, now: Timestamp
    ) throws -> HTTPRequest {
        let filled = filled(secrets)
        var headers = try HTTPCall.headers(filled["headers"])
        let body = HTTPBody(filled, key: stepKey)
        var secretHeaders = Set(
            self.secrets.map(HTTPCall.path).filter { $0.first == "headers" }.compactMap {
                $0.last?.lowercased()
            })
        if let auth = filled["auth"] {
            let proof = try HTTPAuthorization(auth).headers(body: body.bytes, token: token)
            headers.append(contentsOf: proof)
            secretHeaders.formUnion(proof.map { $0.name.lowercased() })
        }
        if let webhook {
            let secret = filled["webhook"]?["secret"]?.string ?? ""
            headers.append(contentsOf: try webhook.headers(secret, body: body.bytes, now: now))
        }
        var defaults = [("User-Agent", "Perigee"), ("X-Correlation-Id", correlationID)]
        let trace = TraceParent.value(correlation: correlationID, step: stepKey, attempt: attempt)
        defaults.append(("traceparent", trace))
        if let type = body.contentType { defaults.append(("Content-Type", type)) }
        if let idempotencyKey { defaults.append(try idempotencyHeader.header(idempotencyKey)) }
        for (name, value) in defaults
        where !headers.contains(where: { $0.name.lowercased() == name.lowercased() }) {
            headers.append((name, value))
        }
        guard let url = filled["url"]?.string.flatMap({ HTTPCall.address($0, query: filled["query"]) }) else {
            throw ScriptError(
                code: "PG1015", kind: "validation", message: "\(label): the URL can't be used.",
                hint: "Write an absolute http or https URL.")
        }
        let maxBytes = min(arguments["max_bytes"]?.int ?? HTTPCall.defaultMaxBytes, HTTPCall.maxMaxBytes)
        return HTTPRequest(
            method: method, url: url, headers: headers, body: body.bytes, timeoutMilliseconds: timeout,
            maxReplyBytes: Int(clamping: maxBytes), attempt: attempt, secretHeaders: secretHeaders)
    }

    /// How long an attempt may take, in milliseconds.
    var timeout: Int { HTTPCall.timeout(arguments) }

    private static func timeout(_ arguments: JSON) -> Int {
        Int(clamping: max(1, arguments["timeout_milliseconds"]?.int ?? defaultTimeout))
    }

    /// How long a call may be silent, beyond its timeouts, before its place at the gate goes to others.
    private static let grace: Int64 = 15_000

    private static func ticket(_ given: JSON, url: String, _ arguments: JSON) -> GateTicket {
        let parts = URLComponents(string: url)
        let host = (parts?.host ?? url) + (parts?.port.map { ":\($0)" } ?? "")
        // An access token may have to be fetched first, which may take as long.
        let times = arguments["auth"]?["oauth2"] == nil ? 1 : 3
        return GateTicket(
            key: given["key"]?.string ?? host,
            throttle: given["limit"]?.int.flatMap { limit in
                given["milliseconds"]?.int.map {
                    GateTicket.Throttle(limit: Int(clamping: limit), milliseconds: $0)
                }
            },
            atOnce: given["at_once"]?.int.map { Int(clamping: $0) },
            breaker: given["breaker"].flatMap(BreakerRule.init),
            holdMilliseconds: Int64(timeout(arguments) * times) + grace,
            isImpatient: given["impatient"] == true)
    }

    /// What an access token is fetched with before the call, in clear; `nil` if it needs none.
    ///
    /// - Throws: ``ScriptError`` for an `auth` that can't be used.
    func clientCredentials(_ secrets: [String: String]) throws(ScriptError) -> ClientCredentials? {
        guard arguments["auth"]?["oauth2"] != nil, let auth = filled(secrets)["auth"],
            case .clientCredentials(let credentials) = try HTTPAuthorization(auth)
        else { return nil }
        return credentials
    }

    /// The values of the secrets that it uses, by their names.
    ///
    /// Each is read once for an attempt: what is sent is also what is taken out of the reply, though it be rotated
    /// meanwhile.
    /// - Throws: ``SecretRefusal`` for one that is not set or may not be sent where this call goes.
    func secretValues(_ finder: SecretFinder) async throws -> [String: String] {
        var targets: [String: Set<String>] = [:]
        for use in secrets {
            let isForToken = HTTPCall.path(use).starts(with: ["auth", "oauth2"])
            let target = isForToken ? arguments["auth"]?["oauth2"]?["token_url"]?.string ?? "" : url
            targets[use.name, default: []].insert(target)
        }
        var values: [String: String] = [:]
        for (name, urls) in targets.sorted(by: { $0.key < $1.key }) {
            values[name] = try await finder.value(name, for: urls)
        }
        return values
    }

    /// The arguments with every secret's value in its place.
    private func filled(_ values: [String: String]) -> JSON {
        secrets.reduce(arguments) { filled, use in
            values[use.name].map { filled.replacing(HTTPCall.path(use), with: $0) } ?? filled
        }
    }

    /// Where a secret stands in the options.
    private static func path(_ use: SecretUse) -> [String] {
        // A pointer begins with the place of the options among the verb's arguments: /2/json/token
        use.pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst(2).map {
            String($0).replacing("~1", with: "/").replacing("~0", with: "~")
        }
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
