import HTTPTypes
import Hummingbird
import Perigee
import PerigeeJournal
import Synchronization

/// `/v1/runs` and `/v1/stream`.
struct RunsRoutes {
    let host: WorkflowHost
    let clock: any Ambient
    let maxBytes: Int

    var routes: [Route] {
        [
            Route(.get, "/v1/runs") { request, _ in try await list(request) },
            Route(.get, "/v1/runs/{id}") { _, values in
                let run = try await host.run(id: values["id"])
                return Response(json: run.json(try await host.relations(run: run.id)))
            },
            Route(.get, "/v1/runs/{id}/history") { request, values in try await history(values["id"], request)
            },
            Route(.get, "/v1/stream") { request, _ in stream(run: try request.query()["run"]) },
        ]
    }

    private func list(_ request: Request) async throws -> Response {
        let query = try request.query()
        let text = query["q"] ?? ""
        let limit = try boundedInteger(query["limit"], name: "limit", in: 1...500, or: 50)
        let page = try await host.runs(
            try RunSearch(parsing: text), limit: limit, cursor: try cursor(query["cursor"]))
        var headers = HTTPFields()
        if let next = page.nextCursor {
            headers[.link] =
                "</v1/runs?q=\(percentEncoded(text))&limit=\(limit)&cursor=\(next)>; rel=\"next\""
        }
        let body: JSON = [
            "items": .array(page.runs.map(\.json)), "next_cursor": JSON(page.nextCursor.map { String($0) }),
        ]
        return Response(json: body, headers: headers)
    }

    private func history(_ id: String, _ request: Request) async throws -> Response {
        let history = try await host.history(run: id)
        guard request.headers[.accept]?.contains("text/event-stream") == true else {
            return Response(json: ["items": .array(history.items().map(\.json))])
        }
        let start = request.headers[.lastEventID].flatMap { HistoryItem.Position($0) }
        if let start, history.run.status.isFinal, history.items(after: start).isEmpty {
            // A browser asks again whenever a stream ends; this answer is how it learns not to.
            return Response(status: .noContent)
        }
        let feed = HistoryFeed(start: start ?? .init())
        return eventStream(clock: clock) {
            host.activity()
        } next: { signal in
            if case .activity(let activity) = signal, activity.changedRun != id { return ([], false) }
            return feed.events(of: try await host.history(run: id))
        }
    }

    /// Which runs changed, for pages that show them now.
    private func stream(run: String?) -> Response {
        eventStream(clock: clock) {
            host.activity()
        } next: { signal in
            guard case .activity(let activity) = signal else { return ([], false) }
            if let id = activity.changedRun, run == nil || run == id {
                return ([ServerSentEvent(event: "run", data: ["id": .string(id)])], false)
            }
            if run == nil, activity.changesWorkflows {
                return ([ServerSentEvent(event: "workflows", data: [:])], false)
            }
            return ([], false)
        }
    }
}

/// Where a page of a list begins.
func cursor(_ text: String?) throws(Problem) -> Int64? {
    guard let text, !text.isEmpty else { return nil }
    guard let cursor = Int64(text) else {
        throw .invalid(
            "The cursor is not one that this server gave out.", hint: "Use next_cursor of the page before.")
    }
    return cursor
}

/// A field of a body that is text, or not there.
func optionalText(_ name: String, of body: JSON, hint: String) throws(Problem) -> String? {
    guard body.object != nil else {
        throw .invalid("The body is \(body.kindName), not an object.", hint: hint)
    }
    guard let field = body[name], field != .null else { return nil }
    guard let text = field.string else {
        let detail = "\(name) is \(field.kindName), not text."
        throw .invalid(detail, faults: [.init(pointer: "/\(name)", detail: detail)], hint: hint)
    }
    return text
}

/// What a reader of one run's live history has already, and what comes next.
final class HistoryFeed: Sendable {
    private struct State {
        var position: HistoryItem.Position
        var lastRun: RunRecord?
    }

    private let state: Mutex<State>

    init(start: HistoryItem.Position) {
        state = Mutex(State(position: start))
    }

    /// The events that are new: each item, then the run itself if it changed.
    ///
    /// The last one is the run at its end.
    func events(of history: RunHistory) -> (events: [ServerSentEvent], isLast: Bool) {
        state.withLock { state in
            let items = history.items(after: state.position)
            var events = items.map {
                ServerSentEvent(event: "item", id: $0.position.description, data: $0.json)
            }
            state.position = items.last?.position ?? state.position
            if state.lastRun != history.run {
                events.append(
                    ServerSentEvent(event: "run", id: state.position.description, data: history.run.json))
                state.lastRun = history.run
            }
            return (events, history.run.status.isFinal)
        }
    }
}
