import HTTPTypes
import Hummingbird
import Perigee
import PerigeeJournal

/// `/v1/batches`: what is done to many runs.
struct BatchesRoutes {
    let host: WorkflowHost
    let maxBytes: Int

    private static let samples = 5
    private static let hint =
        "Send {\"action\": \"retry\", \"q\": \"status:attention\", \"reason\": \"…\", \"dry_run\": true}."

    var routes: [Route] {
        [
            Route(.get, "/v1/batches") { request, _ in
                let limit = try boundedInteger(
                    try request.query()["limit"], name: "limit", in: 1...500, or: 50)
                let batches = try await host.batches(limit: limit)
                return Response(json: ["items": .array(batches.map(\.json))])
            },
            Route(.get, "/v1/batches/{id}") { _, values in
                Response(json: try await host.batch(id: values["id"]).json)
            },
            Route(.get, "/v1/batches/{id}/items") { request, values in
                try await items(values["id"], request)
            },
            Route(.post, "/v1/batches") { request, _ in
                try await create(try await request.json(limit: maxBytes), isDry: try request.isDryRun())
            },
            steering("pause", .paused), steering("resume", .running), steering("abort", .aborted),
        ]
    }

    private func steering(_ name: String, _ status: Batch.Status) -> Route {
        Route(.post, "/v1/batches/{id}:\(name)") { request, values in
            let body = try await ActionBody(request, maxBytes: maxBytes)
            let batch = try await host.steerBatch(
                values["id"], to: status, by: try body.text("by") ?? "api", reason: try body.text("reason"))
            return Response(json: batch.json)
        }
    }

    private func items(_ id: String, _ request: Request) async throws -> Response {
        let query = try request.query()
        let batch = try await host.batch(id: id)
        var state: BatchItem.State?
        if let text = query["state"], !text.isEmpty {
            state = BatchItem.State(rawValue: text)
            guard state != nil else {
                let known = BatchItem.State.allCases.map(\.rawValue)
                throw Problem.invalid(
                    "There is no state \"\(text)\".\(didYouMean(text, among: known))",
                    hint: "A run of a batch is one of \(known.joined(separator: ", ")).")
            }
        }
        let limit = try boundedInteger(query["limit"], name: "limit", in: 1...500, or: 100)
        let after = Int(clamping: try cursor(query["cursor"]) ?? 0)
        let items = try await host.batchItems(
            BatchItemQuery(batch: batch.id, state: state, after: after, limit: limit))
        let next = items.count == limit ? items.last.map { String($0.place) } : nil
        return Response(json: ["items": .array(items.map(\.json)), "next_cursor": JSON(next)])
    }

    // MARK: Creating

    private func create(_ body: JSON, isDry: Bool) async throws -> Response {
        let new = try NewBatch(body)
        var isDry = isDry
        if let field = body["dry_run"] {
            guard case .bool(let wanted) = field else {
                throw Problem.invalid("dry_run is \(field.kindName), not true or false.", hint: Self.hint)
            }
            isDry = isDry || wanted
        }
        let (runs, first) = try await runs(new.search)
        guard isDry else {
            let batch = try await host.createBatch(new, runs: runs)
            return Response(
                json: batch.json, status: .accepted, headers: [.location: "/v1/batches/\(batch.id)"])
        }
        var samples: [JSON] = []
        for run in first { samples.append(await sample(run, new.request)) }
        let answer: JSON = [
            "dry_run": true, "action": .string(new.request.name), "q": .string(new.search),
            "count": .int(Int64(runs.count)), "samples": .array(samples),
        ]
        return Response(json: answer)
    }

    /// What would become of one run.
    private func sample(_ run: RunRecord, _ request: RunRequest) async -> JSON {
        var fields: [String: JSON] = [
            "run": .string(run.id), "workflow": .string(run.workflow), "status": .string(run.status.rawValue),
            "key": JSON(run.key), "sends_again": .array([]), "refused": .null,
        ]
        do {
            fields["sends_again"] = .array(
                try await host.preview(request, on: run.id).sendsAgain.map(\.json))
        } catch {
            fields["refused"] = .string(Problem(error)?.detail ?? "It can't be told.")
        }
        return .object(fields)
    }

    /// The ids of all runs that a search means, and the first of them.
    private func runs(_ text: String) async throws -> (ids: [String], first: [RunRecord]) {
        let search = try RunSearch(parsing: text)
        var found: [String] = []
        var first: [RunRecord] = []
        var cursor: Int64?
        repeat {
            let page = try await host.runs(search, limit: 500, cursor: cursor)
            found += page.runs.map(\.id)
            first += page.runs.prefix(Self.samples - first.count)
            cursor = page.nextCursor
            // One more than it takes, so that the batch is refused.
        } while cursor != nil && found.count <= WorkflowHost.maxBatchRuns
        return (found, first)
    }
}

extension NewBatch {
    private static let known = [
        "action", "q", "version", "dry_run", "by", "reason", "at_once", "per_minute",
    ]

    /// Reads `{action, q, version?, by?, reason?, at_once?, per_minute?}`.
    init(_ body: JSON) throws(Problem) {
        func fault(_ field: String, _ detail: String) -> Problem {
            .invalid(
                detail, faults: [.init(pointer: "/\(field)", detail: detail)],
                hint: "Send {\"action\": \"retry\", \"q\": \"status:attention\", \"at_once\": 10}.")
        }
        func text(_ name: String) throws(Problem) -> String? {
            try optionalText(name, of: body, hint: "Send an object with `action` and `q`.")
        }
        func bound(_ name: String) throws(Problem) -> Int? {
            guard let field = body[name], field != .null else { return nil }
            guard let number = field.int, (1...100_000).contains(number) else {
                throw fault(name, "\(name) is not a whole number from 1 to 100000.")
            }
            return Int(number)
        }
        let action = try text("action") ?? ""
        if let unknown = (body.object ?? [:]).keys.sorted().first(where: { !Self.known.contains($0) }) {
            throw fault(
                unknown, "A batch has no field \"\(unknown)\".\(didYouMean(unknown, among: Self.known))")
        }
        let version = try text("version") ?? "same"
        let names = ["cancel", "terminate", "pause", "resume", "retry"]
        let found = WorkflowHost.batchActions.first { request in
            if case .retry(let wanted) = request { return action == "retry" && wanted.rawValue == version }
            return request.name == action
        }
        guard names.contains(action) else {
            throw fault(
                "action", "There is no action \"\(action)\" on many runs.\(didYouMean(action, among: names))")
        }
        guard let found else { throw fault("version", "version has to be \"same\" or \"newest\".") }
        guard let search = try text("q"), search.contains(where: { !$0.isWhitespace }) else {
            throw fault("q", "The body has no search, which would mean every run.")
        }
        self.init(
            request: found, search: search, by: try text("by") ?? "api", reason: try text("reason"),
            atOnce: try bound("at_once"), perMinute: try bound("per_minute"))
    }
}

extension Batch {
    var json: JSON {
        [
            "id": .string(id), "action": .string(action), "options": JSON(options), "q": .string(search),
            "by": .string(by), "reason": JSON(reason), "at_once": atOnce.map { .int(Int64($0)) } ?? .null,
            "per_minute": perMinute.map { .int(Int64($0)) } ?? .null, "status": .string(status.rawValue),
            "total": .int(Int64(counts.pending + counts.done + counts.refused)),
            "pending": .int(Int64(counts.pending)), "done": .int(Int64(counts.done)),
            "refused": .int(Int64(counts.refused)), "created_at": JSON(createdAt), "ended_at": JSON(endedAt),
        ]
    }
}

extension BatchItem {
    var json: JSON {
        [
            "place": .int(Int64(place)), "run": .string(run), "state": .string(state.rawValue),
            "at": JSON(at), "error": JSON(optional: error),
        ]
    }
}
