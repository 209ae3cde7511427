import HTTPTypes
import Hummingbird
import Perigee
import PerigeeJournal

/// `ANY /hooks/{path}`: requests of the world outside that start a workflow with an `http` trigger.
struct HooksRoutes {
    let host: WorkflowHost
    let maxBytes: Int

    /// HEAD stands here by itself: made from GET, as for the other addresses, it would start a run.
    var routes: [Route] {
        [HTTPRequest.Method.get, .head, .post, .put, .patch, .delete].map { method in
            Route(method, "/hooks/**") { request, values in try await hook(values.rest, request) }
        }
    }

    private func hook(_ path: String, _ request: Request) async throws -> Response {
        try host.checkIntake()
        let body = try await input(of: request)
        do {
            guard
                let run = try await host.hook(method: request.method.rawValue, path: path, body: body)
            else {
                throw Problem(
                    status: .notFound, code: "PG4007", title: "No such hook",
                    detail: "No workflow has an http trigger for /\(path).",
                    hint: "Declare one in a script: on = { http = \"\(request.method) /\(path)\" }.")
            }
            return Response(json: run.json, status: .accepted, headers: [.location: "/v1/runs/\(run.id)"])
        } catch let error as HostError where error.status == 405 {
            var problem = Problem(error) ?? .unexpected
            problem.headers[.allow] = methods(for: path).joined(separator: ", ")
            throw problem
        }
    }

    /// The methods that the workflows' triggers name for a path.
    private func methods(for path: String) -> [String] {
        host.workflows.flatMap(\.triggers).compactMap { trigger in
            let parts = (trigger["http"]?.string ?? "").split(separator: " ")
            return parts.count == 2
                && parts[1].split(separator: "/").elementsEqual(path.split(separator: "/"))
                ? String(parts[0]) : nil
        }
    }

    /// The body as the workflow's input: JSON as it is, a form as an object, and without a body the query.
    private func input(of request: Request) async throws -> JSON {
        let bytes = try await request.bytes(limit: maxBytes)
        if bytes.isEmpty { return Self.object(try request.query()) }
        guard let mediaType = request.mediaType, !isJSON(mediaType: mediaType) else {
            return try parsedJSON(bytes)
        }
        guard mediaType == "application/x-www-form-urlencoded" else {
            throw Problem.unsupportedMediaType(mediaType, takes: "application/json")
        }
        guard let form = FormFields(String(decoding: bytes, as: UTF8.self)) else {
            throw Problem.invalid("An escape in the form is broken.", hint: "Write a percent sign as %25.")
        }
        return Self.object(form)
    }

    /// A name that stands more than once has a list of its values.
    static func object(_ form: FormFields) -> JSON {
        let values = Dictionary(grouping: form.fields, by: \.name).mapValues { fields in
            fields.map { JSON.string($0.value) }
        }
        return .object(values.mapValues { $0.count == 1 ? $0[0] : .array($0) })
    }
}
