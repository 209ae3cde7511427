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
        /// What follows from it.
        var effect: String?
    }

    /// What a person filled in, so that nothing is lost when it has to be asked again.
    struct Draft: Hashable {
        var comment = ""
        var by = "you"
        /// What stands in the fields of the form, by their names.
        var values: [String: String] = [:]
        /// What is wrong with them.
        var faults: [String: String] = [:]
        /// Repaired data.
        var data: String?
    }

    var id: String
    var label: String
    var workflow: String
    var run: String
    var to: String
    var notBy: String?
    var show: [ShowRow]
    var status: StatusView
    var isWaiting: Bool
    var fields: [FieldView]
    /// The data to repair, as JSON.
    var data: String?
    var response: String?
    var choices: [Choice]
    var hasEffects: Bool
    var needsComment: String?
    var opened: TimeView
    var age: String
    var due: TimeView?
    var dueText: String?
    var hours: String?
    /// How often people were reminded.
    var reminded: String?
    /// What became of it, in words.
    var result: String?
    var resultComment: String?
    var answers: [ShowRow]
    var hasAnswers: Bool
    var nonce: String
    var notice: String?
    var draft: Draft
}

extension DecisionView {
    init(_ approval: ApprovalRecord, now: Timestamp, nonce: String, notice: String?, draft: Draft) {
        let request = approval.request
        let details = ApprovalDetails(request)
        id = approval.id
        label = approval.address.label
        workflow = approval.workflow
        run = approval.run
        to = receivers(approval)
        notBy = details.notBy.isEmpty ? nil : details.notBy.joined(separator: ", ")
        show = Self.trouble(details) + ShowRow.rows(request.show)
        status = .of(approval)
        isWaiting = approval.status == .waiting
        fields = details.fields.enumerated().map { number, field in
            FieldView(
                field, number: number, entered: draft.values[field.name], fault: draft.faults[field.name])
        }
        data = draft.data ?? details.data?.pretty(limit: .max)
        response = details.response?.pretty()
        choices = request.choices.map { outcome in
            Choice(
                outcome, kind: request.kind, effect: details.effect[outcome],
                needsComment: request.commentRequiredOn.contains(outcome))
        }
        hasEffects = !details.effect.isEmpty
        needsComment =
            request.commentRequiredOn.isEmpty ? nil : request.commentRequiredOn.joined(separator: ", ")
        opened = TimeView(approval.openedAt)
        age = durationText(from: approval.openedAt, to: now)
        due = TimeView(approval.dueAt)
        dueText = approval.dueAt.map { relativeText($0, now: now) }
        hours = details.hours
        reminded =
            approval.remindersTold == 0
            ? nil : approval.remindersTold == 1 ? "once" : "\(approval.remindersTold) times"
        result = Self.result(approval)
        resultComment = approval.decision?.comment
        answers = Self.answers(approval.decision, details.fields)
        hasAnswers = !answers.isEmpty
        self.nonce = nonce
        self.notice = notice
        self.draft = draft
    }

    /// Why data was parked.
    private static func trouble(_ details: ApprovalDetails) -> [ShowRow] {
        let retryable = details.isRetryable.map {
            $0 ? "The same data may go through later." : "The data is wrong."
        }
        let rows = [("Reason", details.reason), ("Category", details.category), ("Retry", retryable)]
        return rows.compactMap { name, text in text.map { ShowRow(label: name, text: $0) } }
    }

    private static func answers(_ decision: Decision?, _ fields: [FormField]) -> [ShowRow] {
        let form = JSON(optional: decision?.form)
        return fields.compactMap { field in
            form[field.name].map { ShowRow(label: field.title, text: ShowRow.plain($0)) }
        }
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
    init(_ outcome: String, kind: ApprovalKind, effect: String?, needsComment: Bool) {
        self.outcome = outcome
        let words = outcome.replacing("_", with: " ")
        word =
            kind == .park && outcome == "retry"
            ? "Fix and retry" : words.prefix(1).uppercased() + words.dropFirst()
        let tones = ["approve": "good", "submit": "good", "retry": "good", "reject": "bad", "discard": "bad"]
        tone = tones[outcome.lowercased()] ?? "quiet"
        self.needsComment = needsComment
        self.effect = effect
    }
}

extension DecisionView.Draft {
    /// What a form of this page was sent with.
    init(_ form: FormFields) {
        comment = form["comment"]?.trimmed ?? ""
        by = person(form)
        for (name, value) in form.fields where name.hasPrefix("form.") {
            values[String(name.dropFirst("form.".count))] = value
        }
        data = form["data"]?.replacing("\r\n", with: "\n")
    }

    /// The same with what an error says of the fields.
    func marked(by error: HostError) -> DecisionView.Draft {
        var draft = self
        for fault in error.faults where fault.pointer.hasPrefix("/form/") {
            let name = String(fault.pointer.dropFirst("/form/".count))
            draft.faults[name.replacing("~1", with: "/").replacing("~0", with: "~")] = fault.detail
        }
        return draft
    }
}

extension Pages {
    /// Repaired data may be 1 MiB, and escaped in a form three times as long.
    private static let largestForm = 4_194_304

    var decisionRoutes: [Route] {
        [
            Route(.get, "/approvals/{id}") { _, values in
                try await decisionPage(try await host.approval(id: values["id"]))
            },
            Route(.post, "/approvals/{id}") { request, values in
                try await decide(
                    try await host.approval(id: values["id"]), try await request.form(limit: Self.largestForm)
                )
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
        let draft = DecisionView.Draft(form)
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
                comment: draft.comment.isEmpty ? nil : draft.comment,
                form: .object(draft.values.mapValues(JSON.string)),
                data: try repaired(draft, approval, outcome: form["outcome"] ?? ""), via: "page")
        } catch let error as JSONError {
            return try await decisionPage(
                approval, notice: "The data is not JSON: \(error.reason), at byte \(error.offset).",
                draft: draft, status: .unprocessableContent)
        } catch let error as HostError where [400, 403, 422].contains(error.status) {
            return try await decisionPage(
                approval, notice: "\(error.message) \(error.hint)", draft: draft.marked(by: error),
                status: .init(code: error.status))
        } catch let error as HostError where error.status == 409 {
            // It was decided, or its run ended, in the meantime: the page says what became of it.
        }
        return Self.redirect(to: address)
    }

    /// The data that somebody repaired; `nil` if it is as it was, or is to be thrown away.
    private func repaired(
        _ draft: DecisionView.Draft, _ approval: ApprovalRecord, outcome: String
    ) throws(JSONError) -> JSON? {
        guard let text = draft.data, outcome == "retry", let parked = ApprovalDetails(approval.request).data,
            text != parked.pretty(limit: .max)
        else { return nil }
        return try JSON(parsing: text.utf8)
    }
}
