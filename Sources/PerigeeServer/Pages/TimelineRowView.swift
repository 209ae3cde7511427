import PerigeeJournal

/// A row of a run's timeline as its template shows it.
struct TimelineRowView: Hashable {
    struct Note: Hashable {
        var at: TimeView
        var level: String
        var text: String
        var data: String?
    }

    /// The element's id, by which an open row is found again when the page is made new.
    var anchor: String
    var label: String
    /// The branch and the use of the label, where they are not the plain ones.
    var place: String?
    var verb: String?
    var line: Int?
    var state: StatusView
    var begin: TimeView
    var took: String?
    var attempts: String?
    var bar: TimelineBar?
    var request: String?
    var reply: String?
    var failure: RunView.Failure?
    var approval: String?
    /// What a note carries beside its text.
    var data: String?
    var notes: [Note] = []
    var hasNotes = false
    var hasDetails = false
    /// What a screen reader says of the row.
    var spoken: String

    init(_ row: Timeline.Row, number: Int, span: (begin: Timestamp, end: Timestamp), now: Timestamp) {
        switch row {
        case .step(let step): self.init(step, number: number, span: span, now: now)
        case .note(let note):
            self.init(
                anchor: "row-\(number)", label: note.text, verb: note.kind.rawValue,
                state: Self.state(ofLevel: note.level), begin: TimeView(note.at), spoken: note.text)
            data = note.data.map { JSON($0).pretty() }
            hasDetails = data != nil
        case .moved(let at, let from, let to):
            let text = "Moved from version \(from) to version \(to)"
            self.init(
                anchor: "row-\(number)", label: text, verb: "moved",
                state: StatusView(word: "Moved", icon: "⇡", tone: "quiet"), begin: TimeView(at), spoken: text)
        }
    }

    private init(
        anchor: String, label: String, verb: String, state: StatusView, begin: TimeView, spoken: String
    ) {
        self.anchor = anchor
        self.label = label
        self.verb = verb
        self.state = state
        self.begin = begin
        self.spoken = spoken
    }

    private init(
        _ row: Timeline.StepRow, number: Int, span: (begin: Timestamp, end: Timestamp), now: Timestamp
    ) {
        let end = row.end ?? now
        let status = Self.state(of: row)
        let took = durationText(from: row.begin, to: end)
        self.init(
            anchor: "row-\(number)", label: row.address.label, verb: row.step?.verb ?? "", state: status,
            begin: TimeView(row.begin), spoken: "\(row.address.label), \(status.word.lowercased()), \(took)")
        place = Self.place(row.address)
        line = row.step.flatMap { $0.line > 0 ? $0.line : nil }
        self.took = took
        attempts = row.attempts > 1 ? "\(row.attempts) attempts" : nil
        let tone = row.isWait ? "hollow \(status.tone)" : status.tone
        bar = TimelineBar(begin: row.begin, end: end, span: span, tone: tone)
        request = row.step.map { JSON($0.arguments).pretty() }
        switch row.outcome {
        case .success(let value): reply = JSON(value).pretty()
        case .failure(let error): failure = RunView.Failure(JSON(error))
        case nil: break
        }
        approval = row.wait.flatMap { $0.hasPrefix("apr_") ? "/approvals/\(percentEncoded($0))" : nil }
        notes = row.notes.map { note in
            Note(
                at: TimeView(note.at), level: note.kind == .attempt ? "attempt" : note.level, text: note.text,
                data: note.data.map { JSON($0).pretty(limit: 8192) })
        }
        hasNotes = !notes.isEmpty
        hasDetails = true
    }

    private static func place(_ address: StepAddress) -> String? {
        let parts = [
            address.path.isEmpty ? nil : "in \(address.shownPath)",
            address.occurrence > 1 ? "#\(address.occurrence)" : nil,
        ].compactMap(\.self)
        return parts.isEmpty ? nil : parts.joined(separator: " ")
    }

    private static func state(of row: Timeline.StepRow) -> StatusView {
        switch row.state {
        case .done: StatusView(word: "Done", icon: "✓", tone: "good")
        case .failed: StatusView(word: "Failed", icon: "✗", tone: "bad")
        case .waiting: StatusView(word: "Waiting", icon: "◷", tone: "wait")
        case .working: StatusView(word: "Working", icon: "▶", tone: "busy")
        case .unfinished: StatusView(word: "Not finished", icon: "⊘", tone: "quiet")
        }
    }

    private static func state(ofLevel level: String) -> StatusView {
        switch level {
        case "error": StatusView(word: "Error", icon: "✗", tone: "bad")
        case "warning": StatusView(word: "Warning", icon: "!", tone: "wait")
        case "debug": StatusView(word: "Debug", icon: "·", tone: "quiet")
        default: StatusView(word: "Note", icon: "·", tone: "quiet")
        }
    }
}
