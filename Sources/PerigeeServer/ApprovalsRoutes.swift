import HTTPTypes
import Hummingbird
import Perigee
import PerigeeJournal

/// `/v1/approvals`: what people are asked, and their answers.
struct ApprovalsRoutes {
    let host: WorkflowHost
    let maxBytes: Int

    var routes: [Route] {
        [
            Route(.get, "/v1/approvals") { request, _ in try await list(request) },
            Route(.get, "/v1/approvals/{id}") { _, values in
                Response(json: try await host.approval(id: values["id"]).json)
            },
            Route(.post, "/v1/approvals/{id}:decide") { request, values in
                try await decide(values["id"], try await request.json(limit: maxBytes))
            },
        ]
    }

    private func list(_ request: Request) async throws -> Response {
        let query = try request.query()
        var status: ApprovalStatus?
        if let text = query["status"], !text.isEmpty {
            status = ApprovalStatus(rawValue: text)
            let known = ApprovalStatus.allCases.map(\.rawValue)
            guard status != nil else {
                throw Problem.invalid(
                    "There is no status \"\(text)\".\(didYouMean(text, among: known))",
                    hint: "An approval's status is one of \(known.joined(separator: ", ")).")
            }
        }
        let limit = try boundedInteger(query["limit"], name: "limit", in: 1...500, or: 100)
        let approvals = try await host.approvals(status: status, limit: limit)
        return Response(json: ["items": .array(approvals.map(\.json))])
    }

    private func decide(_ id: String, _ body: JSON) async throws -> Response {
        let hint = "Send {\"outcome\": \"approve\", \"comment\": \"…\", \"by\": \"ana@acme.example\"}."
        guard let outcome = try optionalText("outcome", of: body, hint: hint), !outcome.isEmpty else {
            throw Problem.invalid(
                "The body has no outcome.", faults: [.init(pointer: "/outcome", detail: "It is missing.")],
                hint: hint)
        }
        let form = body["form"].flatMap { $0 == .null ? nil : $0 }
        if let form, form.object == nil {
            throw Problem.invalid(
                "form is \(form.kindName), not an object.",
                faults: [.init(pointer: "/form", detail: "It is not an object.")], hint: hint)
        }
        let approval = try await host.decide(
            approval: id, outcome: outcome, by: try optionalText("by", of: body, hint: hint) ?? "api",
            comment: try optionalText("comment", of: body, hint: hint), form: form)
        return Response(json: approval.json)
    }
}
