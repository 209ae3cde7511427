import PerigeeJournal
import Testing

@testable import PerigeeServer

struct HistoryTests {
    private func note(_ text: String, at seconds: Int64, _ kind: Annotation.Kind = .log, step: Step? = nil)
        -> Annotation
    {
        Annotation(ordinal: nil, at: at(seconds), kind: kind, text: text, step: step?.address)
    }

    private var history: RunHistory {
        RunHistory(
            run: run(.waiting),
            entries: [
                completed(1, step("One"), at: 2, from: 1), completed(2, step("Two"), at: 6, from: 3),
                Entry(
                    sequence: 3, recordedAt: at(6),
                    fact: .waitOpened(step("Ask", "ask.approval"), wait: "apr_1")),
            ],
            annotations: [
                note("first", at: 1), note("503", at: 6, .attempt, step: step("Two")), note("after", at: 6),
                note("end", at: 9),
            ])
    }

    @Test func `entries and annotations come in the order of time`() {
        let names = history.items().map { item in
            switch item.content {
            case .entry(let entry): "\(entry.sequence)"
            case .annotation(let annotation): annotation.text
            }
        }
        #expect(names == ["first", "1", "503", "2", "3", "after", "end"])
    }

    @Test func `a reader who comes back gets exactly what it has not seen`() {
        let all = history.items()
        for (index, item) in all.enumerated() {
            let position = HistoryItem.Position(item.position.description)
            #expect(position == item.position)
            let rest = history.items(after: position ?? .init())
            #expect(rest == Array(all[(index + 1)...]))
        }
    }

    @Test(arguments: ["", "1", "1.", "-1.0", "1.2.3", "a.b", "1.-2"])
    func `an id that is none of ours is no position`(text: String) {
        #expect(HistoryItem.Position(text) == nil)
    }

    @Test func `an item has its step, its data and its type`() {
        let json = history.items().map(\.json)
        #expect(json[1]["type"] == "step" && json[1]["sequence"] == 1 && json[1]["label"] == "One")
        #expect(json[1]["reply"] == ["status": 200] && json[1]["attempts"] == 1 && json[1]["line"] == 9)
        #expect(json[1]["request"]?["url"] == "https://crm.example" && json[1]["verb"] == "http.get")
        #expect(
            json[1]["at"] == .string(at(2).description) && json[1]["started_at"] == .string(at(1).description)
        )
        #expect(json[2]["type"] == "attempt" && json[2]["label"] == "Two" && json[2]["sequence"] == nil)
        #expect(json[4]["type"] == "wait" && json[4]["wait"] == "apr_1")
        let moved = Entry(sequence: 1, recordedAt: at(1), fact: .versionMoved(from: 1, to: 2, bundle: "b"))
        let item = RunHistory(run: run(.running), entries: [moved], annotations: []).items()[0].json
        #expect(item["type"] == "moved" && item["from"] == 1 && item["to"] == 2)
    }

    @Test func `a live reader gets new items once, the run when it changed, and an end`() {
        let feed = HistoryFeed(start: .init())
        var now = RunHistory(run: run(.running), entries: [history.entries[0]], annotations: [])
        var step = feed.events(of: now)
        #expect(step.events.map(\.event) == ["item", "run"] && !step.isLast)
        #expect(feed.events(of: now).events.isEmpty)
        now = history
        step = feed.events(of: now)
        #expect(step.events.count == 7 && step.events.last?.event == "run")
        now.run = run(.completed, endedAt: at(10))
        step = feed.events(of: now)
        #expect(step.events.map(\.event) == ["run"] && step.isLast)
        #expect(step.events[0].id == "3.4")
    }

    @Test func `a message of a stream is one line of data`() {
        let event = ServerSentEvent(event: "item", id: "1.0", data: ["a": "b\nc"])
        #expect(event.text == "event: item\nid: 1.0\ndata: {\"a\":\"b\\nc\"}\n\n")
    }

    @Test func `a run gives every field, with null where it has no value`() {
        let wait = Wait(
            id: "apr_1", address: step("Ask").address,
            kind: .approval(approval().request), openedAt: at(5), dueAt: at(9))
        let json = run(.waiting, waits: [wait]).json
        let names = [
            "id", "workflow", "version", "status", "input", "output", "error", "waiting_for", "created_at",
            "ended_at",
            "key", "tags", "status_text", "started_at", "correlation_id", "trigger",
        ]
        for name in names { #expect(json[name] != nil, "\(name) is missing") }
        #expect(json["waiting_for"] == "Ask" && json["ended_at"] == .null)
        #expect(json["waits"]?.array?.first?["approval"] == "apr_1")
    }
}
