import Mustache
import PerigeeJournal
import Testing

@testable import PerigeeServer

struct PagesTests {
    private let templates = MustacheLibrary.dashboard()

    private func render(_ template: String, _ content: Any) throws -> String {
        let view = PageView(title: "T", section: .runs, waiting: 0, live: nil, content: content)
        return try #require(templates.render(view, withTemplate: template))
    }

    /// Every page with one text in all the places where a text can come from outside.
    private func pages(with text: String) throws -> [String] {
        var record = run(.failed, key: text, endedAt: at(9))
        record.statusText = text
        record.error =
            JSON.object(["message": .string(text), "code": .string(text), "hint": .string(text)]).bytes
        record.tags = JSON.object(["tag": .string(text)]).bytes
        record.trigger = JSON.object(["type": .string(text)]).bytes
        let wait = Wait(
            id: "w", address: StepAddress(label: text, occurrence: 1),
            kind: .event(type: text, match: EventMatch()),
            openedAt: at(1), dueAt: nil)
        record.waits = [wait]
        record.blockedBy = Blockage(kind: .key, key: text, limit: 1, runs: [text])
        let page = RunPage(runs: [record], nextCursor: 3)
        let history = RunHistory(
            run: record, entries: [completed(1, step(text, text), at: 2, from: 1)],
            annotations: [
                Annotation(ordinal: 1, at: at(2), kind: .log, level: text, text: text),
                Annotation(
                    ordinal: 2, at: at(2), kind: .log, level: text, text: text, step: step(text, text).address
                ),
            ])
        let relations = RunRelations(
            children: [
                ChildRun(
                    id: text, number: 2, workflow: text, status: .waiting, step: step(text, text).address)
            ], childCount: 1, heldLocks: [HeldLock(key: text, step: step(text, text).address, since: at(1))],
            awaitedLocks: [AwaitedLock(key: text, holder: text, ahead: 1)])
        let show: JSON = [
            ["name": .string(text), "value": .string(text)],
            ["name": "t", "as": "table", "value": [[.string(text)]]],
        ]
        let decided = approval(
            show: show, status: .decided,
            decision: Decision(outcome: text, by: text, at: at(9), comment: text), label: text)
        let field: JSON = [
            "name": .string(text), "title": .string(text), "one_of": [.string(text)], "on": [.string(text)],
        ]
        let details: JSON = [
            "not_by": [.string(text)], "effect": ["approve": .string(text)], "reason": .string(text),
            "form": [field, ["name": "n", "title": "N", "default": .string(text)]], "hours": .string(text),
            "category": .string(text), "data": .string(text), "response": .string(text),
        ]
        let parked = approval(show: show, label: text, kind: .park, details: details)
        return [
            try render(
                "approval",
                DecisionView(
                    parked, now: at(10), nonce: "n", notice: text,
                    draft: .init(comment: text, by: text, faults: [text: text]))),
            try render("approvals", ApprovalsView(.attention, rows: [.init(parked, now: at(10))], parked: 1)),
            try render(
                "runs",
                RunsView(text: "", page: page, isFirst: true, problem: nil, workflows: [], now: at(10))),
            try render("run", RunView(history, relations, now: at(10))),
            try render(
                "approval",
                DecisionView(
                    decided, now: at(10), nonce: "n", notice: text, draft: .init(comment: text, by: text))),
            try render(
                "approvals",
                ApprovalsView(.decided, rows: [.init(decided, now: at(10))], parked: 0)),
            try render("error", ProblemView(.invalid(text, hint: text))),
        ]
    }

    @Test func `no text from outside becomes markup on any page`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var numbers = SplitMix(state: seed)
        // On some pages the text goes through JSON first, which has its own escapes for these three.
        let marked = try pages(with: "MARKER")
        for _ in 0..<60 {
            let text = randomText(using: &numbers).unicodeScalars.filter {
                !"\"\\\n".unicodeScalars.contains($0)
            }
            .reduce(into: "") { $0.unicodeScalars.append($1) }
            let escaped = EscapedHTML().escapeText(text)
            let expected = marked.map { page in
                page.replacing("MARKER", with: escaped).replacing("Marker", with: escaped)
            }
            for (page, wanted) in zip(try pages(with: text), expected) where !text.isEmpty {
                let isSame = page.unicodeScalars.elementsEqual(wanted.unicodeScalars)
                #expect(isSame, "seed \(seed), text \(text.debugDescription)")
            }
        }
    }

    @Test(arguments: [
        "\u{600}<script>alert(1)</script>", "\"\u{301} onfocus=alert(1) x=", "'\u{20DD}", "a\0b", "<\u{200D}",
    ])
    func `quotes and brackets are escaped even where they combine with another mark`(text: String) {
        let escaped = EscapedHTML().escapeText(text)
        #expect(!escaped.unicodeScalars.contains { "<>\"'\0".unicodeScalars.contains($0) })
    }

    @Test func `the search box and the links around it keep what was searched for`() throws {
        let text = "status:failed key:\"a&b\u{301}\""
        let view = RunsView(
            text: text, page: RunPage(runs: [], nextCursor: 8), isFirst: false, problem: nil, workflows: [],
            now: at(0))
        let page = try render("runs", view)
        #expect(page.contains("value=\"status:failed key:&quot;a&amp;b\u{301}&quot;\""))
        #expect(view.older?.hasSuffix("&cursor=8") == true && view.newest != nil)
        #expect(view.filters.first { $0.word == "Waiting" }?.address.contains("key%3A") == true)
        #expect(view.foundNothing && view.start == nil)
    }

    @Test func `a value is shown in the form that the script asked for`() {
        let show: JSON = [
            ["name": "ARR", "value": 1_234_500, "as": "money", "currency": "EUR"],
            ["name": "Fee", "value": 12.5, "as": "money", "currency": "USD"],
            ["name": "Margin", "value": 15, "as": "percent", "warn_below": 20],
            ["name": "Fine", "value": 25, "as": "percent", "warn_below": 20],
            ["name": "Sure", "value": true], ["name": "Nothing", "value": nil], ["name": "A sentence"],
            ["name": "Source", "value": "record", "link": "https://crm.example/1"],
            ["name": "Site", "value": "http://acme.example", "as": "link"],
        ]
        let rows = ShowRow.rows(show.bytes)
        #expect(
            rows.map(\.text) == [
                "1,234,500 EUR", "12.50 USD", "15 %", "25 %", "yes", "–", "", "record", "http://acme.example",
            ])
        #expect(rows.map(\.warning) == [nil, nil, "below 20", nil, nil, nil, nil, nil, nil])
        #expect(rows[7].link == "https://crm.example/1" && rows[8].link == "http://acme.example")
    }

    @Test(arguments: [
        "javascript:alert(1)", "JavaScript://x", "data:text/html,x", " https://a", "//a.example", "https:a",
        "httpsx://a", "",
    ])
    func `nothing but a web address becomes a link`(address: String) {
        let show: JSON = [["name": "L", "value": "x", "link": .string(address)]]
        #expect(ShowRow.rows(show.bytes)[0].link == nil)
    }

    @Test func `a table has a column for each name and says how much is left out`() {
        let lines = (0..<120).map { JSON.object(["id": .int($0), "mrr": $0 == 0 ? 5 : .null]) }
        let table = ShowRow.rows(
            JSON.array([["name": "Rows", "as": "table", "value": .array(lines)]]).bytes)[0].table
        #expect(table?.columns == ["id", "mrr"] && table?.lines.count == 100 && table?.more == 20)
        #expect(table?.lines[0].cells == ["0", "5"])
    }

    @Test func `a second visit says what was decided, when and by whom`() {
        let mine = Decision(outcome: "approve", by: "you", at: Timestamp(milliseconds: 1_795_000_920_000))
        #expect(
            decisionText(approval(status: .decided, decision: mine))
                == "You approved this at 11:22 UTC on 2026-11-18")
        let other = Decision(outcome: "ask_more", by: "ana", at: at(0))
        #expect(
            decisionText(approval(status: .decided, decision: other))?.hasPrefix("ana chose \"ask_more\" for")
                == true)
    }

    @Test func `a page offers buttons only while there is something to decide`() throws {
        func page(_ approval: ApprovalRecord) throws -> String {
            try render(
                "approval", DecisionView(approval, now: at(10), nonce: "n", notice: nil, draft: .init()))
        }
        let open = try page(approval())
        #expect(open.contains("name=\"outcome\" value=\"ask_more\"") && open.contains(">Ask more</button>"))
        // Enter in a field presses a form's first button: it must be one that does nothing.
        let form = try #require(open.firstRange(of: "<form class=\"decide\""))
        let first = try #require(open[form.upperBound...].firstRange(of: "<button"))
        #expect(open[first.lowerBound...].hasPrefix("<button disabled hidden>"))
        for status in [ApprovalStatus.decided, .expired, .cancelled] {
            let closed = try page(approval(status: status, decision: nil))
            #expect(!closed.contains("name=\"outcome\""))
        }
    }

    @Test func `a failed run shows its error once, and not in steps that went well`() throws {
        var record = run(.failed, endedAt: at(9))
        record.error = JSON.object(["message": "It broke."]).bytes
        let history = RunHistory(
            run: record, entries: [completed(1, step("Fine"), at: 2, from: 1)], annotations: [])
        let page = try render("run", RunView(history, now: at(10)))
        #expect(page.ranges(of: "<strong>It broke.</strong>").count == 1)
    }

    @Test(
        arguments: [
            (0, "0 ms"), (999, "999 ms"), (1400, "1.4 s"), (41_000, "41 s"), (72_000, "1m 12s"),
            (7_500_000, "2h 5m"),
            (273_600_000, "3d 4h"), (-5, "0 ms"),
        ] as [(Int64, String)])
    func `a duration has the units that matter`(milliseconds: Int64, text: String) {
        #expect(durationText(milliseconds: milliseconds) == text)
    }

    @Test(
        arguments: [
            (0, nil, "0"), (999, nil, "999"), (1000, nil, "1,000"), (-1_234_567, nil, "−1,234,567"),
            (0.5, nil, "0.5"),
            (1234.5, 2, "1,234.50"), (0.005, 2, "0.01"), (12, 2, "12.00"), (-0.25, 1, "−0.3"),
        ] as [(Double, Int?, String)])
    func `a number has its thousands apart`(value: Double, digits: Int?, text: String) {
        #expect(groupedNumber(value, fractionDigits: digits) == text)
    }

    @Test func `JSON is laid out, and cut where it is too long`() {
        let value: JSON = ["b": [1, "x"], "a": .object([:])]
        #expect(value.pretty() == "{\n  \"a\": {},\n  \"b\": [\n    1,\n    \"x\"\n  ]\n}")
        let long = JSON.array((0..<10_000).map { .int($0) }).pretty(limit: 500)
        #expect(long.utf8.count < 600 && long.hasSuffix("the API has all of it."))
        #expect(JSON.string(String(repeating: "x", count: 9000)).pretty(limit: 500).utf8.count < 600)
    }
}
