import HTTPTypes
import Hummingbird
import Perigee
import PerigeeJournal
import ServiceLifecycle

/// `/v1/workflows`: what can be run, and starting it.
struct WorkflowsRoutes {
    let host: WorkflowHost
    let maxBytes: Int

    var routes: [Route] {
        [
            Route(.get, "/v1/workflows") { _, _ in
                Response(json: ["items": .array(host.workflows.map(\.json))])
            },
            Route(.get, "/v1/workflows/{id}") { _, values in
                Response(json: try workflow(values["id"]).json)
            },
            Route(.post, "/v1/workflows/{id}/runs") { request, values in
                try await start(values["id"], request)
            },
        ]
    }

    private func workflow(_ id: String) throws -> WorkflowInfo {
        let known = host.workflows
        if let found = known.first(where: { $0.id == id }) { return found }
        throw Problem(
            status: .notFound, code: "PG4004", title: "No such workflow",
            detail: "There is no workflow \"\(id)\".\(didYouMean(id, among: known.map(\.id)))",
            hint: "GET /v1/workflows lists them all; a workflow's id is its file's name without .lua.")
    }

    private func start(_ workflow: String, _ request: Request) async throws -> Response {
        try host.checkIntake()
        let idempotencyKey = try idempotencyKey(request.headers[.idempotencyKey])
        let body = try await request.bytes(limit: maxBytes)
        if let mediaType = request.mediaType, !body.isEmpty, !isJSON(mediaType: mediaType) {
            throw Problem.unsupportedMediaType(mediaType, takes: "application/json")
        }
        let value = body.isEmpty ? JSON.object([:]) : try parsedJSON(body)
        if let members = value.array {
            return try await startAll(members, of: workflow, idempotencyKey, instance: request.uri.path)
        }
        var start = try NewStart(workflow: workflow, json: value, at: "")
        start.idempotencyKey = idempotencyKey
        guard let run = try await host.start([start]).first?.get() else { throw Problem.unexpected }
        return try await answer(run, waiting: waitPreference(request.headers[.prefer]))
    }

    private func startAll(
        _ members: [JSON], of workflow: String, _ idempotencyKey: String?, instance: String
    ) async throws -> Response {
        if idempotencyKey != nil {
            throw Problem.invalid(
                "An Idempotency-Key stands for one run, and the body is a list.",
                hint: "Give each member its own \"key\": a run that has it already is taken instead.")
        }
        if members.isEmpty { throw Problem.invalid("The list of runs is empty.", hint: "Send at least one.") }
        let starts = members.enumerated().map { index, member in
            Result { () throws(Problem) in try NewStart(workflow: workflow, json: member, at: "/\(index)") }
        }
        let items = try await answered(starts, instance: instance) {
            try await host.start($0)
        } json: {
            $0.json
        }
        return Response(json: ["items": .array(items)], status: .accepted)
    }

    /// The run: with 200 if it came to its end while the caller was willing to wait, with 202 otherwise.
    private func answer(_ started: RunRecord, waiting seconds: Int?) async throws -> Response {
        var headers: HTTPFields = [.location: "/v1/runs/\(started.id)"]
        guard let seconds else { return Response(json: started.json, status: .accepted, headers: headers) }
        headers[.preferenceApplied] = "wait=\(seconds)"
        let run = try await waitForEnd(started, seconds: seconds)
        return Response(json: run.json, status: run.status.isFinal ? .ok : .accepted, headers: headers)
    }

    /// The run at its end, or as it is when the time is over or the server has to stop.
    private func waitForEnd(_ started: RunRecord, seconds: Int) async throws -> RunRecord {
        do {
            return try await cancelWhenGracefulShutdown {
                try await host.waitForEnd(run: started.id, timeoutMilliseconds: Int64(seconds) * 1000)
            }
        } catch is CancellationError {
            return started
        }
    }
}

extension NewStart {
    /// Reads `{input, key?, by?, reason?}`.
    ///
    /// - Parameter pointer: where in the body it stands.
    init(workflow: String, json: JSON, at pointer: String) throws(Problem) {
        let hint =
            "Send an object such as {\"input\": {\"id\": 7}, \"key\": \"order-7\"}; both may be left out."
        func fault(_ place: String, _ detail: String) -> Problem {
            .invalid(detail, faults: [.init(pointer: place, detail: detail)], hint: hint)
        }
        guard let fields = json.object else {
            throw fault(pointer, "A run is an object, not \(json.kindName).")
        }
        let known = ["input", "key", "by", "reason"]
        if let unknown = fields.keys.sorted().first(where: { !known.contains($0) }) {
            throw fault(
                "\(pointer)/\(unknown)",
                "A run has no field \"\(unknown)\".\(didYouMean(unknown, among: known))")
        }
        var key: String?
        if let field = fields["key"], field != .null {
            guard let text = field.string, !text.isEmpty else {
                throw fault("\(pointer)/key", "The key is not a text, or is empty.")
            }
            key = text
        }
        self.init(
            workflow: workflow, input: fields["input"] ?? .object([:]), key: key,
            by: try optionalText("by", of: json, hint: hint) ?? "api",
            reason: try optionalText("reason", of: json, hint: hint))
    }
}
