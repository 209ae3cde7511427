import HTTPTypes
import Hummingbird
import Perigee
import PerigeeJournal

/// `/v1/secrets`: what calls prove themselves with; values go in and never come out.
struct SecretsRoutes {
    let host: WorkflowHost

    /// Every byte of a value may be escaped in JSON, as six.
    private static let maxBytes = 6 * Settings.maxSecretBytes + 65_536

    var routes: [Route] {
        [
            Route(.get, "/v1/secrets") { _, _ in
                Response(json: ["items": .array(try await host.secrets().map(\.json))])
            },
            Route(.put, "/v1/secrets/{name}") { request, values in
                let body = try SecretBody(try await request.json(limit: Self.maxBytes))
                let secret = try await host.setSecret(
                    values["name"], value: try body.value(), hosts: try body.hosts(), by: try body.by(),
                    reason: try body.text("reason"))
                return Response(json: secret.json)
            },
            Route(.delete, "/v1/secrets/{name}") { request, values in
                let body = try await SecretBody(change: request, maxBytes: Self.maxBytes)
                let name = values["name"]
                try await host.removeSecret(name, by: try body.by(), reason: try body.text("reason"))
                return Response(json: ["name": .string(name), "removed": true])
            },
            Route(.post, "/v1/secrets:rotate") { request, _ in
                let body = try await SecretBody(change: request, maxBytes: Self.maxBytes)
                let rotated = try await host.rotateSecrets(
                    by: try body.by(), reason: try body.text("reason"))
                return Response(json: ["resealed": .int(Int64(rotated.count)), "key": .string(rotated.keyID)])
            },
        ]
    }
}

/// The body of a change of a secret: `{value, hosts or any_host, by, reason}`.
///
/// Its problems name fields and never what stands in them.
private struct SecretBody {
    private static let known = ["value", "hosts", "any_host", "by", "reason"]
    private static let hint =
        "Send {\"value\": \"…\", \"hosts\": [\"api.example\"], \"by\": \"ana\"}, or any_host: true without hosts."

    private let body: JSON

    init(_ body: JSON) throws(Problem) {
        guard let fields = body.object else {
            throw .invalid("The body is \(body.kindName), not an object.", hint: Self.hint)
        }
        guard fields.keys.allSatisfy(Self.known.contains) else {
            throw .invalid(
                "The body has a field that is none of \(Self.known.joined(separator: ", ")).",
                hint: Self.hint)
        }
        self.body = body
    }

    /// The body of a change that needs none.
    init(change request: Request, maxBytes: Int) async throws {
        let bytes = try await request.bytes(limit: maxBytes)
        try self.init(bytes.isEmpty ? .object([:]) : parsedJSON(bytes))
    }

    func by() throws(Problem) -> String { try text("by") ?? "api" }

    func text(_ name: String) throws(Problem) -> String? {
        try optionalText(name, of: body, hint: Self.hint)
    }

    func value() throws(Problem) -> String {
        guard let value = body["value"]?.string else { throw Self.fault("value", "value is not text.") }
        return value
    }

    /// The hosts that it may be sent to; `nil` for any, which has to be said.
    func hosts() throws(Problem) -> [String]? {
        let isAny = body["any_host"] == true
        let hosts = body["hosts"]?.array?.compactMap(\.string) ?? []
        guard hosts.count == body["hosts"]?.array?.count ?? 0 else {
            throw Self.fault("hosts", "hosts is not a list of texts.")
        }
        guard isAny == hosts.isEmpty else {
            throw Self.fault(
                "hosts", "It has to be said where the secret may be sent: hosts, or any_host, and not both.")
        }
        return isAny ? nil : hosts
    }

    private static func fault(_ field: String, _ detail: String) -> Problem {
        .invalid(detail, faults: [.init(pointer: "/\(field)", detail: detail)], hint: hint)
    }
}

extension SecretInfo {
    /// The secret as `{name, source, hosts, any_host, used, key, created_at, updated_at}`.
    var json: JSON {
        [
            "name": .string(name), "source": .string(source),
            "hosts": .array(hosts.map { .string($0) }), "any_host": .bool(goesAnywhere),
            "used": .bool(isUsed), "key": JSON(keyID), "created_at": JSON(createdAt),
            "updated_at": JSON(updatedAt),
        ]
    }
}
