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
                Response(json: try await host.approval(id: values["id"]).json(isWhole: true))
            },
            Route(.post, "/v1/approvals/{id}:decide") { request, values in
                let limit = max(maxBytes, WorkflowHost.maxRepairedBytes + 65_536)
                return try await decide(values["id"], try await request.json(limit: limit))
            },
        ]
    }

    private func list(_ request: Request) async throws -> Response {
        let query = try request.query()
        let status: ApprovalStatus? = try choice(query["status"], name: "status")
        let kind: ApprovalKind? = try choice(query["kind"], name: "kind")
        let limit = try boundedInteger(query["limit"], name: "limit", in: 1...500, or: 100)
        let approvals = try await host.approvals(
            status: status, kinds: kind.map { [$0] } ?? [], limit: limit)
        return Response(json: ["items": .array(approvals.map { $0.json(isWhole: false) })])
    }

    /// A parameter that names one of a few things; `nil` if it is missing or empty.
    private func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ text: String?, name: String
    ) throws(Problem) -> Choice? {
        guard let text, !text.isEmpty else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        let known = Choice.allCases.map(\.rawValue)
        throw .invalid(
            "There is no \(name) \"\(text)\".\(didYouMean(text, among: known))",
            hint: "An approval's \(name) is one of \(known.joined(separator: ", ")).")
    }

    private func decide(_ id: String, _ body: JSON) async throws -> Response {
        let hint = "Send {\"outcome\": \"approve\", \"comment\": \"…\", \"by\": \"ana@acme.example\"}."
        guard let outcome = try optionalText("outcome", of: body, hint: hint), !outcome.isEmpty else {
            throw Problem.invalid(
                "The body has no outcome.", faults: [.init(pointer: "/outcome", detail: "It is missing.")],
                hint: hint)
        }
        let form = body["form"].flatMap { $0 == .null ? JSON?.none : $0 }
        if let form, form.object == nil {
            throw Problem.invalid(
                "form is \(form.kindName), not an object.",
                faults: [.init(pointer: "/form", detail: "It is not an object.")], hint: hint)
        }
        let approval = try await host.decide(
            approval: id, outcome: outcome, by: try optionalText("by", of: body, hint: hint) ?? "api",
            comment: try optionalText("comment", of: body, hint: hint), form: form, data: body["data"],
            via: try optionalText("via", of: body, hint: hint) ?? "api")
        return Response(json: approval.json(isWhole: true))
    }
}
