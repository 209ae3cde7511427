import HTTPTypes
import Hummingbird
import Perigee
import PerigeeJournal

/// One run with everything that is recorded of it.
struct RunView {
    struct WaitLine: Hashable {
        var sentence: String
        var address: String?
        var due: TimeView?
    }

    /// Why the run can't begin yet.
    struct BlockedLine: Hashable {
        var sentence: String
        /// The ids of the runs that it waits for.
        var runs: [String]
    }

    struct Failure: Hashable {
        var code: CodeView?
        var message: String
        /// The lines of the script in question.
        var excerpt: String?
        var next: String?
        var details: String
    }

    var id: String
    var workflow: String
    var version: Int
    var status: StatusView
    var statusText: String?
    var runKey: String?
    var created: TimeView
    var startedAt: TimeView?
    var ended: TimeView?
    var took: String
    var trigger: String
    var correlation: String
    var tags: [String]
    var failure: Failure?
    var waits: [WaitLine]
    var blocked: BlockedLine?
    var relations: RelationsView
    var canCancel: Bool
    var more: RunActionsView
    var input: String
    var output: String?
    var rows: [TimelineRowView]
    var hasRows: Bool
    /// How many rows more there are than the page shows.
    var hidden: Int?
}

extension RunView {
    /// - Parameter now: up to when a run that goes on is drawn.
    init(
        _ history: RunHistory, _ relations: RunRelations = RunRelations(), audit: [AuditRecord] = [],
        now: Timestamp
    ) {
        let run = history.run
        id = run.id
        workflow = run.workflow
        version = run.version
        status = .of(run.status)
        // What a run said of its waiting is no longer true once it has ended.
        statusText = run.status.isFinal ? nil : run.statusText
        runKey = run.key
        created = TimeView(run.createdAt)
        startedAt = TimeView(run.startedAt)
        ended = TimeView(run.endedAt)
        took = durationText(from: run.createdAt, to: run.endedAt ?? now)
        trigger = triggerText(JSON(run.trigger))
        correlation = run.correlationID
        tags = (JSON(optional: run.tags).object ?? [:]).sorted { $0.key < $1.key }.map { name, value in
            "\(name): \(value.string ?? value.text)"
        }
        failure = run.error.map { Failure(JSON($0)) }
        waits = run.waits.map { WaitLine($0, relations, now: now) }
        self.relations = RelationsView(run, relations, now: now)
        blocked = run.blockedBy.map { BlockedLine(sentence: $0.sentence, runs: $0.runs) }
        canCancel = !run.status.isFinal
        input = JSON(run.input).pretty()
        output = run.output.map { JSON($0).pretty() }
        let timeline = Timeline(history)
        more = RunActionsView(history, timeline: timeline, audit: audit)
        let all = timeline.rows
        let span = (run.createdAt, run.endedAt ?? now)
        rows = all.prefix(Self.most).enumerated().map {
            TimelineRowView($1, number: $0 + 1, span: span, now: now)
        }
        hasRows = !rows.isEmpty
        hidden = all.count > Self.most ? all.count - Self.most : nil
    }

    private static let most = 500
}

extension RunView.Failure {
    init(_ error: JSON) {
        code = error["code"]?.string.map { CodeView($0) }
        excerpt = error["excerpt"]?.string.map { excerpt in
            guard let script = error["script"]?.string, let line = error["line"]?.int else { return excerpt }
            return "\(script):\(line)\n\(excerpt)"
        }
        message = error["message"]?.string ?? error.text
        next = error["hint"]?.string
        details = error.pretty()
    }
}

extension RunView.WaitLine {
    init(_ wait: Wait, _ relations: RunRelations, now: Timestamp) {
        let label = wait.address.label
        let since = durationText(from: wait.openedAt, to: now)
        switch wait.kind {
        case .timer: sentence = "\(label): waits for its time, for \(since) so far"
        case .retry: sentence = "\(label): waits for its next attempt, for \(since) so far"
        case .event(let type, _): sentence = "\(label): waits for the event \(type), for \(since) so far"
        case .approval(let request):
            let what = [
                ApprovalKind.approval: "a decision", .form: "a form", .park: "its data to be repaired",
            ]
            sentence = "\(label): waits for \(what[request.kind] ?? ""), for \(since) so far"
            address = "/approvals/\(wait.id)"
        case .lock(let key):
            let lock = relations.awaitedLocks.first { $0.key == key }
            let others = lock.map { $0.ahead > 0 ? ", and \($0.ahead) wait before it" : "" } ?? ""
            let holder = lock.map { " that \($0.holder) holds\(others)" } ?? ""
            sentence = "\(label): waits for the lock \(key)\(holder), for \(since) so far"
        case .gate(let ticket):
            let gate = relations.awaitedGates.first { $0.key == ticket.key }
            let others = gate.map { $0.ahead > 0 ? ", after \($0.ahead) others" : "" } ?? ""
            let why =
                gate?.openUntil.map { ", where too many calls failed (the next is tried at \($0))" } ?? ""
            sentence = "\(label): waits for its turn at \(ticket.key)\(why)\(others), for \(since) so far"
        case .child(let run): sentence = "\(label): waits for the run \(run) to end, for \(since) so far"
        case .started(let run): sentence = "\(label): starts the run \(run)"
        }
        due = TimeView(wait.dueAt)
    }
}

/// What started a run, or starts a workflow, in words.
func triggerText(_ trigger: JSON) -> String {
    if let event = trigger["event"]?.string { return "on event \(event)" }
    if let http = trigger["http"]?.string { return "on request \(http.replacing(" /", with: " /hooks/"))" }
    if let cron = trigger["cron"]?.string { return "at cron \(cron), \(trigger["tz"]?.string ?? "UTC")" }
    if let interval = trigger["every"]?.string { return "every \(interval)" }
    if trigger["manual"] != nil { return "by hand" }
    switch trigger["type"]?.string {
    case "manual": return "by hand"
    case "run": return "by \(trigger["workflow"]?.string ?? "another run")"
    case "continued": return "to go on for another run"
    case "rerun":
        let step = trigger["step"]?.string.map { " from \"\($0)\" on" } ?? ""
        return "again after \(trigger["run"]?.string ?? "another run")\(step)"
    case "http": return "by \(trigger["method"]?.string ?? "") /hooks\(trigger["path"]?.string ?? "")"
    case let type?: return type
    case nil: return trigger.text
    }
}

extension Pages {
    var runRoutes: [Route] {
        [
            Route(.get, "/runs/{id}") { _, values in try await runPage(values["id"]) },
            Route(.get, "/runs/{id}/cancel") { _, values in try await cancelPage(values["id"]) },
            Route(.post, "/runs/{id}/cancel") { request, values in
                try await cancel(values["id"], try await request.form())
            },
        ]
    }

    private func runPage(_ id: String) async throws -> Response {
        let history = try await host.history(run: id)
        let isOver = history.run.status.isFinal
        let audit = try await host.audit(run: id, limit: 100).records
        return await page(
            "run", title: "\(StatusView.of(history.run.status).word) · \(history.run.workflow)",
            section: .runs,
            content: RunView(
                history, try await host.relations(run: history.run.id), audit: audit, now: clock.now),
            live: isOver ? nil : "/v1/stream?run=\(percentEncoded(id))")
    }

    private func cancelPage(_ id: String, notice: String? = nil, status: HTTPResponse.Status = .ok)
        async throws -> Response
    {
        let run = try await host.run(id: id)
        if run.status.isFinal { return Self.redirect(to: "/runs/\(run.id)") }
        let view = CancelView(
            id: run.id, workflow: run.workflow, status: .of(run.status),
            nonce: nonces.make(for: "cancel \(run.id)"),
            notice: notice)
        return await page("cancel", title: "Cancel the run?", section: .runs, content: view, status: status)
    }

    private func cancel(_ id: String, _ form: FormFields) async throws -> Response {
        let run = try await host.run(id: id)
        switch nonces.use(form["nonce"] ?? "", for: "cancel \(run.id)") {
        case .repeated: return Self.redirect(to: "/runs/\(run.id)")
        case .unknown: return try await cancelPage(id, notice: staleNotice, status: .conflict)
        case .accepted: break
        }
        let reason = form["reason"]?.trimmed ?? ""
        do {
            _ = try await host.cancel(run: run.id, by: person(form), reason: reason.isEmpty ? nil : reason)
        } catch let error as HostError where error.status == 409 {
            // It ended by itself in the meantime: its page says how.
        }
        return Self.redirect(to: "/runs/\(run.id)")
    }
}

/// The question before a run is cancelled.
struct CancelView {
    var id: String
    var workflow: String
    var status: StatusView
    var nonce: String
    var notice: String?
}

let staleNotice =
    "The server was started anew since this page was shown. Nothing was done; please press once more."

/// Who a form says that it is from.
func person(_ form: FormFields) -> String {
    let name = form["by"]?.trimmed ?? ""
    return name.isEmpty ? "you" : String(name.prefix(200))
}
