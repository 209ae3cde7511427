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

    /// A part of the inbox.
    enum Tab: String {
        case waiting, attention, decided
    }

    var showsWaiting: Bool
    var showsAttention: Bool
    var showsDecided: Bool
    /// How many wait to be repaired, `50+` at most; `nil` for none.
    var attentionCount: String?
    var rows: [Row]
    var hasRows: Bool
}

/// What waits for an answer; what waits to be repaired has a list of its own.
let inboxKinds: Set<ApprovalKind> = [.approval, .form]

extension ApprovalsView {
    init(_ tab: Tab, rows: [Row], parked: Int) {
        showsWaiting = tab == .waiting
        showsAttention = tab == .attention
        showsDecided = tab == .decided
        attentionCount = parked == 0 ? nil : parked > 50 ? "50+" : "\(parked)"
        self.rows = rows
        hasRows = !rows.isEmpty
    }
}

extension ApprovalsView.Row {
    init(_ approval: ApprovalRecord, now: Timestamp) {
        id = approval.id
        label = approval.address.label
        workflow = approval.workflow
        to = receivers(approval)
        let about = ApprovalDetails(approval.request)
        let parked = [("Reason", about.reason), ("Category", about.category)].compactMap { name, text in
            text.map { ShowRow(label: name, text: $0) }
        }
        fields = Array((ShowRow.rows(approval.request.show) + parked).prefix(3))
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
    case "submit" where approval.request.kind == .form: verb = "filled in"
    case "retry" where approval.request.kind == .park: verb = "repaired"
    case "discard" where approval.request.kind == .park: verb = "discarded"
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
        let tab = try request.query()["tab"].flatMap(ApprovalsView.Tab.init) ?? .waiting
        let parked = try await host.approvals(status: .waiting, kinds: [.park], limit: 51)
        var found: [ApprovalRecord] = []
        switch tab {
        case .waiting: found = try await host.approvals(status: .waiting, kinds: inboxKinds, limit: 200)
        case .attention: found = Array(parked.prefix(50))
        case .decided:
            for status in [ApprovalStatus.decided, .expired, .cancelled] {
                found += try await host.approvals(status: status, limit: 100)
            }
            found.sort { ($0.decision?.at ?? $0.openedAt) > ($1.decision?.at ?? $1.openedAt) }
        }
        let rows = found.map { ApprovalsView.Row($0, now: clock.now) }
        return await page(
            "approvals", title: "Approvals", section: .approvals,
            content: ApprovalsView(tab, rows: rows, parked: parked.count),
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
