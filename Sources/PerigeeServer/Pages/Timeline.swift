import PerigeeJournal

/// A run's history as its page draws it: one row for each step, in the order in which they began.
struct Timeline {
    enum State: Hashable {
        case done, failed
        /// It waits for a time, an event or a person.
        case waiting
        /// It is being worked on.
        case working
        /// The run ended before it did.
        case unfinished
    }

    struct StepRow: Hashable {
        var address: StepAddress
        /// `nil` while only its attempts are known.
        var step: Step?
        var state: State
        var isWait: Bool
        /// The wait's id: that of the approval, where it is one.
        var wait: String?
        var begin: Timestamp
        var end: Timestamp?
        var attempts: Int
        var outcome: Outcome?
        var notes: [Annotation] = []
    }

    enum Row: Hashable {
        case step(StepRow)
        /// What the script said outside a step.
        case note(Annotation)
        case moved(at: Timestamp, from: Int, to: Int)
    }

    private(set) var rows: [Row] = []
    private var places: [StepAddress: Int] = [:]
    /// The steps of entries by their sequences.
    private var addresses: [Int: StepAddress] = [:]

    init(_ history: RunHistory) {
        for item in history.items() {
            switch item.content {
            case .entry(let entry): take(entry)
            case .annotation(let annotation): take(annotation)
            }
        }
        let isOver = history.run.status.isFinal
        rows = rows.map { row in
            guard isOver, case .step(var step) = row, step.state == .waiting || step.state == .working else {
                return row
            }
            step.state = .unfinished
            step.end = history.run.endedAt
            return .step(step)
        }
    }

    private mutating func take(_ entry: Entry) {
        switch entry.fact {
        case .stepCompleted(let step, let outcome, let attempts, let startedAt):
            addresses[entry.sequence] = step.address
            update(step.address, beginning: startedAt) { row in
                row.step = step
                row.end = entry.recordedAt
                row.attempts = attempts
                row.outcome = outcome
                row.begin = min(row.begin, startedAt)
                if case .failure = outcome { row.state = .failed } else { row.state = .done }
            }
        case .waitOpened(let step, let wait, _):
            addresses[entry.sequence] = step.address
            update(step.address, beginning: entry.recordedAt) { row in
                row.step = step
                row.isWait = !step.verb.hasPrefix("http.")
                row.wait = wait
                row.state = .waiting
            }
        case .attemptBegun(let step):
            addresses[entry.sequence] = step.address
            update(step.address, beginning: entry.recordedAt) { row in
                row.step = step
                row.state = .working
            }
        case .versionMoved(let from, let to, _):
            rows.append(.moved(at: entry.recordedAt, from: from, to: to))
        case .endRequested(let status, let error):
            let why = JSON(error)["message"]?.string ?? "Asked to end"
            let end = status == .timed_out ? "Its time ran out; it unwinds" : "Asked to end; it unwinds"
            rows.append(
                .note(
                    Annotation(
                        ordinal: nil, at: entry.recordedAt, kind: .note, level: "warning",
                        text: "\(end): \(why)")))
        case .reset(let sequences):
            // What is taken back stays to be seen; the steps that are done again get rows of their own.
            let steps = sequences.compactMap { addresses[$0] }
            for step in steps { places[step] = nil }
            let labels = steps.prefix(5).map(\.label).joined(separator: ", ")
            rows.append(
                .note(
                    Annotation(
                        ordinal: nil, at: entry.recordedAt, kind: .note,
                        text: "Taken back, to be done again: \(labels)\(steps.count > 5 ? " …" : "")")))
        }
    }

    private mutating func take(_ annotation: Annotation) {
        guard let address = annotation.step else { return rows.append(.note(annotation)) }
        update(address, beginning: annotation.at) { $0.notes.append(annotation) }
    }

    private mutating func update(
        _ address: StepAddress, beginning: Timestamp, _ change: (inout StepRow) -> Void
    ) {
        var row = StepRow(
            address: address, step: nil, state: .working, isWait: false, wait: nil, begin: beginning,
            end: nil,
            attempts: 0, outcome: nil)
        if let place = places[address], case .step(let known) = rows[place] {
            row = known
            change(&row)
            rows[place] = .step(row)
        } else {
            change(&row)
            places[address] = rows.count
            rows.append(.step(row))
        }
    }
}

/// Where on a line of 100 units a row's time stands.
struct TimelineBar: Hashable {
    var x: String
    var width: String
    /// The class that gives the colour and the form.
    var tone: String

    /// - Parameters:
    ///   - span: from the run's creation to its end, or to now.
    init(begin: Timestamp, end: Timestamp, span: (begin: Timestamp, end: Timestamp), tone: String) {
        let length = Double(max(1, span.end.milliseconds - span.begin.milliseconds))
        let from = Double(begin.milliseconds - span.begin.milliseconds) / length * 100
        let to = Double(end.milliseconds - span.begin.milliseconds) / length * 100
        // A step of no length is still there to be seen.
        let start = min(max(0, from), 99.5)
        x = groupedNumber(start, fractionDigits: 2)
        width = groupedNumber(min(100 - start, max(0.5, to - start)), fractionDigits: 2)
        self.tone = tone
    }
}
