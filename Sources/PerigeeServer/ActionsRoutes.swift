import HTTPTypes
import Hummingbird
import Perigee
import PerigeeJournal

/// `POST /v1/runs/{id}:retry` and the other things that a person does to a run, and `/v1/audit`.
struct ActionsRoutes {
    let host: WorkflowHost
    let maxBytes: Int

    /// What stands after the colon, and what it asks for.
    private static let actions:
        [(name: String, request: @Sendable (ActionBody) throws(Problem) -> RunRequest)] = [
            ("cancel", { _ in .cancel }), ("terminate", { _ in .terminate }), ("pause", { _ in .pause }),
            ("resume", { _ in .resume }),
            ("retry", { body throws(Problem) in .retry(try body.retryVersion()) }),
            ("skipStep", { body throws(Problem) in .skip(try body.step()) }),
            ("setResult", { body throws(Problem) in .setResult(try body.step(), try body.result()) }),
            ("retryNow", { body throws(Problem) in .retryNow(try body.step()) }),
        ]

    var routes: [Route] {
        Self.actions.map { action in
            Route(.post, "/v1/runs/{id}:\(action.name)") { request, values in
                try await act(values["id"], action.request, request)
            }
        } + [
            Route(.post, "/v1/runs/{id}:fork") { request, values in try await fork(values["id"], request) },
            Route(.get, "/v1/audit") { request, _ in try await audit(request) },
        ]
    }

    private func act(
        _ id: String, _ asked: (ActionBody) throws(Problem) -> RunRequest, _ request: Request
    ) async throws -> Response {
        let body = try await ActionBody(request, maxBytes: maxBytes)
        let wanted = try asked(body)
        if try request.isDryRun() { return Response(json: try await host.preview(wanted, on: id).json) }
        let run = try await host.act(
            on: id, wanted, by: try body.text("by") ?? "api", reason: try body.text("reason"))
        return Response(json: run.json, status: run.status.isFinal ? .ok : .accepted)
    }

    private func fork(_ id: String, _ request: Request) async throws -> Response {
        let body = try await ActionBody(request, maxBytes: maxBytes)
        let step = try body.step()
        let fork = RunFork(
            from: step == StepReference() ? nil : step, version: try body.forkVersion(),
            input: body["input"], key: try body.text("key"))
        if try request.isDryRun() { return Response(json: try await host.preview(fork, of: id).json) }
        let run = try await host.fork(
            run: id, fork, by: try body.text("by") ?? "api", reason: try body.text("reason"))
        return Response(json: run.json, status: .accepted, headers: [.location: "/v1/runs/\(run.id)"])
    }

    private func audit(_ request: Request) async throws -> Response {
        let query = try request.query()
        let limit = try boundedInteger(query["limit"], name: "limit", in: 1...500, or: 50)
        let run = query["run"].flatMap { $0.isEmpty ? nil : $0 }
        let page = try await host.audit(run: run, limit: limit, cursor: try cursor(query["cursor"]))
        var headers = HTTPFields()
        if let next = page.nextCursor {
            let of = run.map { "run=\(percentEncoded($0))&" } ?? ""
            headers[.link] = "</v1/audit?\(of)limit=\(limit)&cursor=\(next)>; rel=\"next\""
        }
        let body: JSON = [
            "items": .array(page.records.map(\.json)),
            "next_cursor": JSON(page.nextCursor.map { String($0) }),
        ]
        return Response(json: body, headers: headers)
    }
}

extension Request {
    /// `?dry_run=true`: say what would be done, and do nothing.
    func isDryRun() throws -> Bool {
        switch try query()["dry_run"] {
        case nil, "", "false": return false
        case "true": return true
        case let other?:
            throw Problem.invalid(
                "dry_run=\(other) is neither true nor false.", hint: "Write ?dry_run=true, or leave it out.")
        }
    }
}

/// The body of an action: an object, or nothing.
struct ActionBody {
    private static let known = [
        "by", "reason", "version", "step", "path", "occurrence", "result", "input", "key",
    ]
    private static let hint = "Send {\"by\": \"ana@acme.example\", \"reason\": \"…\"}; both may be left out."

    private let fields: [String: JSON]

    init(_ request: Request, maxBytes: Int) async throws {
        let bytes = try await request.bytes(limit: maxBytes)
        try self.init(bytes.isEmpty ? .object([:]) : parsedJSON(bytes))
    }

    init(_ body: JSON) throws(Problem) {
        guard let fields = body.object else {
            throw .invalid("The body is \(body.kindName), not an object.", hint: Self.hint)
        }
        if let unknown = fields.keys.sorted().first(where: { !Self.known.contains($0) }) {
            throw Self.fault(
                unknown, "An action has no field \"\(unknown)\".\(didYouMean(unknown, among: Self.known))")
        }
        self.fields = fields
    }

    /// A field that has a value.
    subscript(_ name: String) -> JSON? { fields[name].flatMap { $0 == .null ? nil : $0 } }

    func text(_ name: String) throws(Problem) -> String? {
        try optionalText(name, of: .object(fields), hint: Self.hint)
    }

    func step() throws(Problem) -> StepReference {
        var occurrence: Int?
        if let field = self["occurrence"] {
            guard let number = field.int, number >= 1 else {
                throw Self.fault("occurrence", "occurrence is not a whole number from 1 on.")
            }
            occurrence = Int(number)
        }
        return StepReference(label: try text("step"), path: try text("path"), occurrence: occurrence)
    }

    /// The result that is set; it has to be there, and may be `null`.
    func result() throws(Problem) -> JSON {
        guard let result = fields["result"] else {
            throw Self.fault("result", "The body has no result.")
        }
        return result
    }

    func retryVersion() throws(Problem) -> RunRequest.RetryVersion {
        guard let text = try text("version") else { return .same }
        guard let version = RunRequest.RetryVersion(rawValue: text) else {
            throw Self.fault("version", "version is \"\(text)\", and has to be \"same\" or \"newest\".")
        }
        return version
    }

    func forkVersion() throws(Problem) -> RunFork.Version {
        if let number = self["version"]?.int { return .number(Int(clamping: number)) }
        switch try text("version") {
        case nil, "same"?: return .same
        case "newest"?: return .newest
        case let text?:
            throw Self.fault(
                "version", "version is \"\(text)\", and has to be \"same\", \"newest\" or a number.")
        }
    }

    private static func fault(_ field: String, _ detail: String) -> Problem {
        .invalid(detail, faults: [.init(pointer: "/\(field)", detail: detail)], hint: hint)
    }
}

extension ActionPreview {
    var json: JSON {
        ["dry_run": true, "run": run.json, "sends_again": .array(sendsAgain.map(\.json))]
    }
}

extension ResentCall {
    /// The call as `{label, path, occurrence, verb, target, at, state}`.
    var json: JSON {
        [
            "label": .string(address.label), "path": .string(address.path),
            "occurrence": .int(Int64(address.occurrence)), "verb": .string(verb), "target": .string(target),
            "at": JSON(at), "state": .string(state.rawValue),
        ]
    }
}

extension AuditRecord {
    var json: JSON {
        [
            "number": .int(number), "at": JSON(at), "by": .string(by), "action": .string(action),
            "run": JSON(run), "approval": JSON(approval), "batch": JSON(batch), "secret": JSON(secret),
            "step": JSON(step), "reason": JSON(reason), "before": JSON(optional: before),
            "after": JSON(optional: after),
        ]
    }
}
