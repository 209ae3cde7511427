import PerigeeJournal
import Testing

@testable import PerigeeServer

struct TimelineTests {
    private func steps(_ history: RunHistory) -> [Timeline.StepRow] {
        Timeline(history).rows.compactMap { row in if case .step(let step) = row { step } else { nil } }
    }

    private func attempt(_ step: Step, at seconds: Int64) -> Annotation {
        Annotation(ordinal: nil, at: at(seconds), kind: .attempt, text: "503", step: step.address)
    }

    @Test func `a step has one row, with its attempts, from its first attempt to its end`() {
        let history = RunHistory(
            run: run(.running), entries: [completed(1, step("Quote"), at: 9, from: 2, failed: true)],
            annotations: [attempt(step("Quote"), at: 4)])
        let row = steps(history)[0]
        #expect(
            steps(history).count == 1 && row.state == .failed && row.attempts == 3 && row.notes.count == 1)
        #expect(row.begin == at(2) && row.end == at(9))
    }

    @Test func `a step of which only an attempt is known is being worked on`() {
        let history = RunHistory(
            run: run(.running), entries: [], annotations: [attempt(step("Quote"), at: 4)])
        #expect(steps(history).map(\.state) == [.working])
    }

    @Test func `a wait goes from waiting to done in the same row`() {
        let ask = step("Ask", "ask.approval")
        let opened = Entry(sequence: 1, recordedAt: at(3), fact: .waitOpened(ask, wait: "apr_1"))
        var history = RunHistory(run: run(.waiting), entries: [opened], annotations: [])
        #expect(steps(history).map(\.state) == [.waiting])
        history.entries.append(completed(2, ask, at: 8, from: 3))
        let row = steps(history)[0]
        #expect(steps(history).count == 1 && row.state == .done && row.isWait && row.wait == "apr_1")
    }

    @Test func `what was open when the run ended was not finished`() {
        let opened = Entry(sequence: 1, recordedAt: at(3), fact: .waitOpened(step("Ask"), wait: "w"))
        let history = RunHistory(run: run(.cancelled, endedAt: at(7)), entries: [opened], annotations: [])
        #expect(steps(history)[0].state == .unfinished && steps(history)[0].end == at(7))
    }

    @Test func `the same label used again has a row of its own, and moves and notes stand between`() {
        let history = RunHistory(
            run: run(.running),
            entries: [
                completed(1, step("Poll"), at: 2, from: 1),
                completed(2, step("Poll", occurrence: 2), at: 6, from: 5),
                Entry(sequence: 3, recordedAt: at(7), fact: .versionMoved(from: 1, to: 2, bundle: "b")),
            ], annotations: [Annotation(ordinal: 1, at: at(4), kind: .log, text: "hm")])
        let kinds = Timeline(history).rows.map { row in
            switch row {
            case .step(let step): "step \(step.address.occurrence)"
            case .note: "note"
            case .moved: "moved"
            }
        }
        #expect(kinds == ["step 1", "note", "step 2", "moved"])
    }

    @Test func `a bar lies within the line, wherever its times are`() throws {
        var numbers = SplitMix(state: 7)
        for _ in 0..<500 {
            let times = (0..<4).map { _ in at(.random(in: -50...50, using: &numbers)) }
            let bar = TimelineBar(begin: times[0], end: times[1], span: (times[2], times[3]), tone: "good")
            let x = try #require(Double(bar.x))
            let width = try #require(Double(bar.width))
            #expect(x >= 0 && width >= 0.49 && x + width <= 100.01, "\(times)")
        }
        let half = TimelineBar(begin: at(5), end: at(10), span: (at(0), at(10)), tone: "good")
        #expect(half.x == "50.00" && half.width == "50.00")
    }
}
