import HTTPTypes
import Hummingbird
import Perigee
import PerigeeJournal

/// What the page before an action shows and asks.
struct ActionView {
    struct Call: Hashable {
        var label: String
        var target: String
        var state: String
        var at: TimeView
    }

    struct Version: Hashable {
        var value: String
        var text: String
        var isChosen: Bool
    }

    var id: String
    var workflow: String
    var status: StatusView
    var action: String
    var title: String
    var sentence: String
    var step: String?
    var path: String?
    var occurrence: String?
    var calls: [Call] = []
    var hasCalls = false
    var callCount = ""
    var asksVersion = false
    var versions: [Version] = []
    var input: String?
    var result: String?
    var needsReason = false
    var reasonLabel = "Reason (optional)"
    var isBad = false
    var nonce = ""
    var notice: String?
    /// Why it can't be done.
    var refusal: String?

    mutating func show(_ sent: [ResentCall]) {
        calls = sent.map { call in
            Call(
                label: call.address.label, target: call.target,
                state: call.state == .completed ? "ended" : "tried", at: TimeView(call.at))
        }
        hasCalls = !calls.isEmpty
        callCount = calls.count == 1 ? "1 call is" : "\(calls.count) calls are"
    }
}

/// The actions that have a page, as its address names them.
private enum PageAction: String, CaseIterable {
    case terminate, pause, resume, retry, fork, skip, result
    case now = "retry-now"

    var title: String {
        switch self {
        case .terminate: "Terminate the run"
        case .pause: "Pause the run"
        case .resume: "Resume the run"
        case .retry: "Retry the run"
        case .fork: "Run again"
        case .skip: "Skip the step"
        case .result: "Set the step's result"
        case .now: "Try now"
        }
    }

    var sentence: String {
        switch self {
        case .terminate: "It ends at once. Its script is not asked, and nothing is undone."
        case .pause: "What is under way ends, and nothing more begins until it is resumed."
        case .resume: "It goes on, and takes what came meanwhile."
        case .retry: "It goes on where it stopped. What was done is not done again, but for what failed."
        case .fork: "A new run begins; this one stays as it is."
        case .skip: "The script goes on as if the step had given nil."
        case .result: "The script goes on as if the step had given this."
        case .now: "The next attempt is made at once."
        }
    }

    /// What it asks of the host, where that is not a fork.
    ///
    /// - Throws: `PG4044` for a result that is not JSON.
    func request(_ fields: FormFields) throws(Problem) -> RunRequest? {
        let step = StepReference(fields)
        switch self {
        case .terminate: return .terminate
        case .pause: return .pause
        case .resume: return .resume
        case .retry: return .retry(fields["version"] == "newest" ? .newest : .same)
        case .fork: return nil
        case .skip: return .skip(step)
        case .result: return .setResult(step, try parsedJSON(Array((fields["result"] ?? "null").utf8)))
        case .now: return .retryNow(step)
        }
    }
}

extension StepReference {
    /// The step that the fields of a page name.
    fileprivate init(_ fields: FormFields) {
        func value(_ name: String) -> String? { fields[name].flatMap { $0.isEmpty ? nil : $0 } }
        self.init(
            label: value("step"), path: value("path"), occurrence: value("occurrence").flatMap { Int($0) })
    }
}

extension RunFork {
    fileprivate init(_ fields: FormFields) throws(Problem) {
        let step = StepReference(fields)
        let input = fields["input"].flatMap { $0.allSatisfy(\.isWhitespace) ? nil : $0 }
        self.init(
            from: step == StepReference() ? nil : step,
            version: fields["version"] == "newest" ? .newest : .same,
            input: try input.map { text throws(Problem) in try parsedJSON(Array(text.utf8)) })
    }
}

extension Pages {
    var actionRoutes: [Route] {
        PageAction.allCases.flatMap { action in
            [
                Route(.get, "/runs/{id}/act/\(action.rawValue)") { request, values in
                    try await actionPage(action, values["id"], try request.query())
                },
                Route(.post, "/runs/{id}/act/\(action.rawValue)") { request, values in
                    try await act(action, values["id"], try await request.form())
                },
            ]
        }
    }

    private func actionPage(
        _ action: PageAction, _ id: String, _ fields: FormFields, notice: String? = nil,
        status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        let run = try await host.run(id: id)
        let step = StepReference(fields)
        var view = ActionView(
            id: run.id, workflow: run.workflow, status: .of(run.status), action: action.rawValue,
            title: action.title, sentence: action.sentence, step: step.label, path: step.path,
            occurrence: step.occurrence.map { "\($0)" })
        view.notice = notice
        view.nonce = nonces.make(for: "\(action.rawValue) \(run.id)")
        view.isBad = action == .terminate
        let isNewest = fields["version"] == "newest"
        view.asksVersion = action == .retry || action == .fork
        view.versions = [
            .init(value: "same", text: "The one that it ran on (v\(run.version))", isChosen: !isNewest),
            .init(value: "newest", text: "The newest", isChosen: isNewest),
        ]
        if action == .fork { view.input = fields["input"] ?? JSON(run.input).pretty() }
        if action == .result {
            view.result = fields["result"] ?? "null"
            view.needsReason = true
            view.reasonLabel = "Reason"
        }
        do {
            if let request = try action.request(fields) {
                view.show(try await host.preview(request, on: run.id).sendsAgain)
            } else {
                view.show(try await host.preview(try RunFork(fields), of: run.id).sendsAgain)
            }
        } catch let error as HostError {
            view.refusal = "\(error.message) \(error.hint)"
        } catch let error as Problem {
            view.refusal = "\(error.detail) \(error.hint)"
        }
        return await page(
            "action", title: "\(action.title)?", section: .runs, content: view, status: status)
    }

    private func act(_ action: PageAction, _ id: String, _ form: FormFields) async throws -> Response {
        let run = try await host.run(id: id)
        switch nonces.use(form["nonce"] ?? "", for: "\(action.rawValue) \(run.id)") {
        case .repeated: return Self.redirect(to: "/runs/\(run.id)")
        case .unknown:
            return try await actionPage(action, id, form, notice: staleNotice, status: .conflict)
        case .accepted: break
        }
        do {
            guard let request = try action.request(form) else {
                let made = try await host.fork(
                    run: run.id, try RunFork(form), by: person(form), reason: form["reason"])
                return Self.redirect(to: "/runs/\(made.id)")
            }
            _ = try await host.act(on: run.id, request, by: person(form), reason: form["reason"])
        } catch let error as HostError where error.status < 500 {
            let status = HTTPResponse.Status(code: error.status)
            return try await actionPage(
                action, id, form, notice: "\(error.message) \(error.hint)", status: status)
        } catch let error as Problem {
            return try await actionPage(
                action, id, form, notice: "\(error.detail) \(error.hint)", status: error.status)
        }
        return Self.redirect(to: "/runs/\(run.id)")
    }
}

/// What can be done to a run, as its page offers it.
struct RunActionsView {
    struct Action: Hashable {
        var text: String
        var address: String
    }

    /// An audit record of the run.
    struct Record: Hashable {
        var at: TimeView
        var by: String
        var action: String
        var step: String?
        var reason: String?
        var change: String?
    }

    var actions: [Action]
    var records: [Record]
    var hasRecords: Bool

    init(_ history: RunHistory, timeline: Timeline, audit: [AuditRecord]) {
        let run = history.run
        actions = Self.names(of: run).map { Action(text: $0.text, address: "/runs/\(run.id)/act/\($0.name)") }
        for case .step(let row) in timeline.rows {
            actions += Self.names(of: row, run).map { name, text in
                var address = "/runs/\(run.id)/act/\(name)?step=\(percentEncoded(row.address.label))"
                if !row.address.path.isEmpty { address += "&path=\(percentEncoded(row.address.path))" }
                if row.address.occurrence > 1 { address += "&occurrence=\(row.address.occurrence)" }
                return Action(text: "\(text): \(row.address.label)", address: address)
            }
        }
        // A page with thousands of steps offers what is at its end.
        actions = Array(actions.prefix(4)) + actions.dropFirst(4).suffix(8)
        records = audit.map(Record.init)
        hasRecords = !records.isEmpty
    }

    private static func names(of run: RunRecord) -> [(name: String, text: String)] {
        var names: [(String, String)] = []
        if run.status.canBeRetried { names.append(("retry", "Retry…")) }
        if run.pausedAt != nil { names.append(("resume", "Resume…")) }
        if [.queued, .waiting, .running].contains(run.status), run.pausedAt == nil {
            names.append(("pause", "Pause…"))
        }
        if !run.status.isFinal { names.append(("terminate", "Terminate…")) }
        return names + [("fork", "Run again…")]
    }

    /// What can be done to a step.
    private static func names(
        of row: Timeline.StepRow, _ run: RunRecord
    ) -> [(name: String, text: String)] {
        let byHand = [("result", "Set result"), ("skip", "Skip")]
        switch row.state {
        case .waiting where run.waits.contains { $0.kind == .retry && $0.address == row.address }:
            return [("retry-now", "Try now")] + byHand
        case .waiting where !run.status.canBeRetried: return byHand
        case .working where run.status == .running: return byHand
        case .failed where run.status.canBeRetried && hasStopped(run, row): return byHand
        default: return []
        }
    }

    /// Whether the run's error is the failure of this step.
    private static func hasStopped(_ run: RunRecord, _ row: Timeline.StepRow) -> Bool {
        let error = JSON(optional: run.error)
        guard case .failure(let failure)? = row.outcome else { return false }
        return error["step"]?.string == row.address.label || error["message"] == JSON(failure)["message"]
    }
}

extension RunActionsView.Record {
    fileprivate init(_ record: AuditRecord) {
        at = TimeView(record.at)
        by = record.by
        action = record.action
        step = record.step
        reason = record.reason
        let after = JSON(optional: record.after)
        let fork = record.action == "fork" ? after["run"]?.string.map { "new run \($0)" } : nil
        let statuses = [JSON(optional: record.before), after].compactMap { $0["status"]?.string }
        change = fork ?? (statuses.isEmpty ? nil : statuses.joined(separator: " → "))
    }
}
