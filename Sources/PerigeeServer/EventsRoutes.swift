import HTTPTypes
import Hummingbird
import Perigee
import PerigeeJournal

/// `POST /v1/events`: something happened.
struct EventsRoutes {
    let host: WorkflowHost
    let maxBytes: Int

    var routes: [Route] {
        [Route(.post, "/v1/events", handler: { request, _ in try await accept(request) })]
    }

    private func accept(_ request: Request) async throws -> Response {
        try host.checkIntake()
        let body = try EventBody(
            mediaType: request.mediaType, attributes: Self.attributes(of: request),
            body: try await request.bytes(limit: maxBytes))
        switch body {
        case .one(let event):
            let results = try await host.send([event])
            guard let receipt = try results.first?.get() else { throw Problem.unexpected }
            return Response(json: Self.json(receipt), status: .accepted)
        case .batch(let members):
            let items = try await answered(members, instance: request.uri.path) {
                try await host.send($0)
            } json: {
                Self.json($0)
            }
            return Response(json: ["items": .array(items)], status: .accepted)
        }
    }

    /// The `ce-` headers by name without the prefix.
    private static func attributes(of request: Request) -> [String: String] {
        var attributes: [String: String] = [:]
        for field in request.headers where field.name.canonicalName.hasPrefix("ce-") {
            attributes[String(field.name.canonicalName.dropFirst(3))] = field.value
        }
        return attributes
    }

    private static func json(_ receipt: EventReceipt) -> JSON {
        [
            "event_id": .string(receipt.eventID), "runs": .array(receipt.runs.map { .string($0) }),
            "duplicate": .bool(receipt.isDuplicate),
            "refused": .array(
                receipt.refused.map { taken in
                    let problem = HostError(JournalError.keyTaken(taken))
                    return [
                        "workflow": .string(taken.workflow), "key": .string(taken.key),
                        "run": .string(taken.run),
                        "code": .string(problem.code), "detail": .string(problem.message),
                    ]
                }),
        ]
    }
}

/// Hands the good members of a batch in together, and gives the answers in the members' order: a problem
/// stands in the place of each one that was refused, by the server or by the host.
func answered<Member, Answer>(
    _ members: [Result<Member, Problem>], instance: String,
    submit: ([Member]) async throws -> [Result<Answer, HostError>], json: (Answer) -> JSON
) async throws -> [JSON] {
    let good = members.compactMap { try? $0.get() }
    var answers = (good.isEmpty ? [] : try await submit(good)).makeIterator()
    return members.map { member in
        switch member {
        case .failure(let problem): return problem.json(instance: instance)
        case .success:
            switch answers.next() {
            case .success(let answer): return json(answer)
            case .failure(let error): return (Problem(error) ?? .unexpected).json(instance: instance)
            case nil: return Problem.unexpected.json(instance: instance)
            }
        }
    }
}
