import HTTPTypes
import Hummingbird
import Perigee
import PerigeeJournal

/// One approval: what is to be decided, or what became of it.
struct DecisionView {
    struct Choice: Hashable {
        var outcome: String
        var word: String
        var tone: String
        var needsComment: Bool
    }

    /// What a person filled in, so that nothing is lost when it has to be asked again.
    struct Draft: Hashable {
        var comment = ""
        var by = "you"
    }

    var id: String
    var label: String
    var workflow: String
    var run: String
    var to: String
    var show: [ShowRow]
    var status: StatusView
    var isWaiting: Bool
    var choices: [Choice]
    var needsComment: String?
    var opened: TimeView
    var age: String
    var due: TimeView?
    var dueText: String?
    /// What became of it, in words.
    var result: String?
    var resultComment: String?
    var nonce: String
    var notice: String?
    var draft: Draft
}

extension DecisionView {
    init(_ approval: ApprovalRecord, now: Timestamp, nonce: String, notice: String?, draft: Draft) {
        let request = approval.request
        id = approval.id
        label = approval.address.label
        workflow = approval.workflow
        run = approval.run
        to = receivers(approval)
        show = ShowRow.rows(request.show)
        status = .of(approval)
        isWaiting = approval.status == .waiting
        choices = request.choices.map { Choice($0, needsComment: request.commentRequiredOn.contains($0)) }
        needsComment =
            request.commentRequiredOn.isEmpty ? nil : request.commentRequiredOn.joined(separator: ", ")
        opened = TimeView(approval.openedAt)
        age = durationText(from: approval.openedAt, to: now)
        due = TimeView(approval.dueAt)
        dueText = approval.dueAt.map { relativeText($0, now: now) }
        result = Self.result(approval)
        resultComment = approval.decision?.comment
        self.nonce = nonce
        self.notice = notice
        self.draft = draft
    }

    private static func result(_ approval: ApprovalRecord) -> String? {
        switch approval.status {
        case .waiting: nil
        case .decided: decisionText(approval)
        case .expired: "Nobody decided in time. The run went on without a decision."
        case .cancelled: "The run ended before anybody decided. There is nothing left to decide."
        }
    }
}

extension DecisionView.Choice {
    init(_ outcome: String, needsComment: Bool) {
        self.outcome = outcome
        let words = outcome.replacing("_", with: " ")
        word = words.prefix(1).uppercased() + words.dropFirst()
        tone = ["approve": "good", "reject": "bad"][outcome] ?? "quiet"
        self.needsComment = needsComment
    }
}

extension Pages {
    var decisionRoutes: [Route] {
        [
            Route(.get, "/approvals/{id}") { _, values in
                try await decisionPage(try await host.approval(id: values["id"]))
            },
            Route(.post, "/approvals/{id}") { request, values in
                try await decide(try await host.approval(id: values["id"]), try await request.form())
            },
        ]
    }

    private func decisionPage(
        _ approval: ApprovalRecord, notice: String? = nil, draft: DecisionView.Draft = .init(),
        status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        let view = DecisionView(
            approval, now: clock.now, nonce: nonces.make(for: "decide \(approval.id)"), notice: notice,
            draft: draft)
        return await page(
            "approval", title: approval.address.label, section: .approvals, content: view,
            live: approval.status == .waiting ? "/v1/stream?run=\(percentEncoded(approval.run))" : nil,
            status: status)
    }

    private func decide(_ approval: ApprovalRecord, _ form: FormFields) async throws -> Response {
        let address = "/approvals/\(percentEncoded(approval.id))"
        let comment = form["comment"]?.trimmed ?? ""
        let draft = DecisionView.Draft(comment: comment, by: person(form))
        switch nonces.use(form["nonce"] ?? "", for: "decide \(approval.id)") {
        case .repeated: return Self.redirect(to: address)
        case .unknown:
            if approval.status != .waiting { return Self.redirect(to: address) }
            return try await decisionPage(approval, notice: staleNotice, draft: draft, status: .conflict)
        case .accepted: break
        }
        do {
            _ = try await host.decide(
                approval: approval.id, outcome: form["outcome"] ?? "", by: draft.by,
                comment: comment.isEmpty ? nil : comment, form: nil)
        } catch let error as HostError where error.status == 422 {
            let notice = "\(error.message) \(error.hint)"
            return try await decisionPage(
                approval, notice: notice, draft: draft, status: .unprocessableContent)
        } catch let error as HostError where error.status == 409 {
            // It was decided, or its run ended, in the meantime: the page says what became of it.
        }
        return Self.redirect(to: address)
    }
}
