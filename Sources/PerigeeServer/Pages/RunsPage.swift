import Hummingbird
import Perigee
import PerigeeJournal

/// The list of runs.
struct RunsView {
    struct Filter: Hashable {
        var word: String
        var address: String
        var isCurrent: Bool
    }

    struct Row: Hashable {
        var id: String
        var workflow: String
        var status: StatusView
        var runKey: String?
        /// The line that the script set, or what the run waits for.
        var note: String?
        var created: TimeView
        var age: String
        var took: String
    }

    var search: String
    var filters: [Filter]
    var rows: [Row]
    var hasRows: Bool
    /// Why the search could not be understood.
    var problem: ProblemView?
    var older: String?
    var newest: String?
    /// What to do where there are no runs at all.
    var start: StartHint?
    var foundNothing: Bool
}

/// The one command that gives the first run.
struct StartHint: Hashable {
    var sentence: String
    var command: String?

    /// - Parameter workflows: those that there are.
    init(_ workflows: [WorkflowInfo]) {
        let usable = workflows.filter { $0.version != nil && !$0.isDeleted }
        for workflow in usable {
            if let event = workflow.triggers.compactMap({ $0["event"]?.string }).first {
                self.init(
                    sentence: "No runs yet. Send an event to start the first one:",
                    command: "perigee send \(event)")
                return
            }
        }
        if let workflow = usable.first {
            self.init(sentence: "No runs yet. Start the first one:", command: "perigee run \(workflow.id)")
        } else {
            self.init(
                sentence: "No runs yet, and no workflow to run: save a script in the scripts folder.",
                command: nil)
        }
    }

    private init(sentence: String, command: String?) {
        self.sentence = sentence
        self.command = command
    }
}

extension Pages {
    var runsRoutes: [Route] {
        [
            Route(.get, "/") { request, _ in try await runsPage(request) },
            Route(.get, "/runs") { request, _ in try await runsPage(request) },
            Route(.get, "/r/{id}") { _, values in try await runByShortID(values["id"]) },
        ]
    }

    private func runsPage(_ request: Request) async throws -> Response {
        let query = try request.query()
        let text = query["q"]?.trimmed ?? ""
        let begin = try cursor(query["cursor"])
        var page = RunPage(runs: [], nextCursor: nil)
        var problem: Problem?
        do {
            page = try await host.runs(try RunSearch(parsing: text), limit: 50, cursor: begin)
        } catch let error as Problem {
            problem = error
        }
        let view = RunsView(
            text: text, page: page, isFirst: begin == nil, problem: problem, workflows: host.workflows,
            now: clock.now)
        return await self.page(
            "runs", title: "Runs", section: .runs, content: view, live: "/v1/stream",
            status: problem?.status ?? .ok)
    }

    private func runByShortID(_ short: String) async throws -> Response {
        let found = try await host.runs(beginningWith: short)
        guard found.count != 1 else { return Self.redirect(to: "/runs/\(found[0].id)") }
        guard !found.isEmpty else { throw Problem.noSuchRun(short) }
        let choices = ChooseView(
            what: "runs", short: short,
            items: found.prefix(50).map {
                ChooseView.Item(address: "/runs/\($0.id)", text: "\($0.id) · \($0.workflow)")
            })
        return await page(
            "choose", title: "Which run?", section: .runs, content: choices, status: .multipleChoices)
    }
}

extension Problem {
    static func noSuchRun(_ short: String) -> Problem {
        Problem(
            status: .notFound, code: "PG4005", title: "No such run",
            detail: "There is no run whose id begins with \"\(short)\".",
            hint: "The list of runs has them all; a short id finds the newest 10,000.")
    }
}

/// A short id that more than one thing has.
struct ChooseView {
    struct Item: Hashable {
        var address: String
        var text: String
    }

    var what: String
    var short: String
    var items: [Item]
}

extension RunsView {
    init(
        text: String, page: RunPage, isFirst: Bool, problem: Problem?, workflows: [WorkflowInfo],
        now: Timestamp
    ) {
        search = text
        filters = Self.filters(text)
        rows = page.runs.map { Row($0, now: now) }
        hasRows = !rows.isEmpty
        self.problem = problem.map { ProblemView($0) }
        let base = "/?q=\(percentEncoded(text))"
        older = page.nextCursor.map { "\(base)&cursor=\($0)" }
        newest = isFirst ? nil : base
        let nothing = rows.isEmpty && problem == nil
        start = nothing && text.isEmpty ? StartHint(workflows) : nil
        foundNothing = nothing && !text.isEmpty
    }

    /// Links that narrow the list to some statuses; other words of the search stay.
    private static func filters(_ text: String) -> [Filter] {
        let views = [
            ("All", ""), ("Running", "status:queued,running"), ("Waiting", "status:waiting"),
            ("Needs attention", "status:attention"), ("Failed", "status:failed,terminated,timed_out"),
            ("Completed", "status:completed"),
        ]
        let words = text.split(separator: " ").map(String.init)
        let others = words.filter { !$0.hasPrefix("status:") }
        let current = words.first { $0.hasPrefix("status:") } ?? ""
        return views.map { word, status in
            let query = (others + [status]).filter { !$0.isEmpty }.joined(separator: " ")
            let address = query.isEmpty ? "/" : "/?q=\(percentEncoded(query))"
            return Filter(word: word, address: address, isCurrent: status == current)
        }
    }
}

extension RunsView.Row {
    init(_ run: RunRecord, now: Timestamp) {
        id = run.id
        workflow = run.workflow
        status = .of(run.status)
        runKey = run.key
        note =
            run.status.isFinal
            ? nil
            : run.blockedBy?.sentence ?? run.statusText
                ?? run.waits.first.map { "waits for \($0.address.label)" }
        created = TimeView(run.createdAt)
        age = relativeText(run.createdAt, now: now)
        took = durationText(from: run.createdAt, to: run.endedAt ?? now)
    }
}
