import Hummingbird
import Perigee
import PerigeeJournal

/// The inbox: what waits for a decision, and what was decided.
struct ApprovalsView {
    struct Row: Hashable {
        var id: String
        var label: String
        var workflow: String
        var to: String
        /// The first three rows of what is shown.
        var fields: [ShowRow]
        var status: StatusView
        var opened: TimeView
        var age: String
        var due: TimeView?
        var dueText: String?
        var isLate: Bool
        var decided: String?
    }

    var showsDecided: Bool
    var rows: [Row]
    var hasRows: Bool
}

extension ApprovalsView.Row {
    init(_ approval: ApprovalRecord, now: Timestamp) {
        id = approval.id
        label = approval.address.label
        workflow = approval.workflow
        to = receivers(approval)
        fields = Array(ShowRow.rows(approval.request.show).prefix(3))
        status = .of(approval)
        opened = TimeView(approval.openedAt)
        age = durationText(from: approval.openedAt, to: now)
        due = TimeView(approval.dueAt)
        dueText = approval.dueAt.map { relativeText($0, now: now) }
        isLate = approval.dueAt.map { $0 <= now } ?? false
        decided = decisionText(approval)
    }
}

/// Who is asked, in words.
func receivers(_ approval: ApprovalRecord) -> String {
    let to = JSON(approval.request.to)
    return (to.array ?? [to]).compactMap(\.string).joined(separator: ", ")
}

/// What was decided, by whom and when: `You approved this at 10:42 UTC on 2026-11-21`; `nil` if nobody has.
func decisionText(_ approval: ApprovalRecord) -> String? {
    guard let decision = approval.decision else { return nil }
    let verb: String
    switch decision.outcome {
    case "approve", "approved": verb = "approved"
    case "reject", "rejected": verb = "rejected"
    default: verb = "chose \"\(decision.outcome)\" for"
    }
    let who = decision.by == "you" ? "You" : decision.by
    let at = decision.at.description
    return "\(who) \(verb) this at \(at.dropFirst(11).prefix(5)) UTC on \(at.prefix(10))"
}

extension Pages {
    var approvalsRoutes: [Route] {
        [
            Route(.get, "/approvals") { request, _ in try await approvalsPage(request) },
            Route(.get, "/a/{id}") { _, values in try await approvalByShortID(values["id"]) },
        ]
    }

    private func approvalsPage(_ request: Request) async throws -> Response {
        let showsDecided = try request.query()["tab"] == "decided"
        var found: [ApprovalRecord] = []
        if showsDecided {
            for status in [ApprovalStatus.decided, .expired, .cancelled] {
                found += try await host.approvals(status: status, limit: 100)
            }
            found.sort { ($0.decision?.at ?? $0.openedAt) > ($1.decision?.at ?? $1.openedAt) }
        } else {
            found = try await host.approvals(status: .waiting, limit: 200)
        }
        let rows = found.map { ApprovalsView.Row($0, now: clock.now) }
        return await page(
            "approvals", title: "Approvals", section: .approvals,
            content: ApprovalsView(showsDecided: showsDecided, rows: rows, hasRows: !rows.isEmpty),
            live: "/v1/stream")
    }

    private func approvalByShortID(_ short: String) async throws -> Response {
        let found = try await host.approvals(beginningWith: short)
        guard found.count != 1 else { return Self.redirect(to: "/approvals/\(percentEncoded(found[0].id))") }
        guard !found.isEmpty else {
            throw Problem(
                status: .notFound, code: "PG4006", title: "No such approval",
                detail: "There is no approval whose id begins with \"\(short)\".",
                hint: "The list of approvals has those that wait and those that were decided.")
        }
        let items = found.prefix(50).map {
            ChooseView.Item(
                address: "/approvals/\(percentEncoded($0.id))", text: "\($0.id) · \($0.address.label)")
        }
        let view = ChooseView(what: "approvals", short: short, items: Array(items))
        return await page(
            "choose", title: "Which approval?", section: .approvals, content: view, status: .multipleChoices)
    }
}
