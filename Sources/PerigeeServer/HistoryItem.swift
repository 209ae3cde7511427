import PerigeeJournal

/// One thing that happened in a run or that it said, as the API and the pages show it.
struct HistoryItem: Hashable {
    enum Content: Hashable {
        case entry(Entry)
        case annotation(Annotation)
    }

    /// How much of a history a reader has: the ids of its live stream.
    struct Position: Hashable {
        var entries = 0
        var annotations = 0
    }

    var content: Content
    /// What a reader has who has this item and all before it.
    var position: Position

    var at: Timestamp {
        switch content {
        case .entry(let entry): entry.recordedAt
        case .annotation(let annotation): annotation.at
        }
    }
}

extension HistoryItem.Position: CustomStringConvertible {
    var description: String { "\(entries).\(annotations)" }

    /// Reads an id that this server gave out; `nil` for anything else.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let entries = parts[0], let annotations = parts[1], entries >= 0,
            annotations >= 0
        else {
            return nil
        }
        self.init(entries: entries, annotations: annotations)
    }
}

extension RunHistory {
    /// Entries and annotations in the order of time, each kind in its own order, from a position on.
    ///
    /// At the same moment an attempt stands before the entry that it led to, and other annotations after it.
    func items(after position: HistoryItem.Position = .init()) -> [HistoryItem] {
        var entries = self.entries.dropFirst(position.entries)
        var annotations = self.annotations.dropFirst(position.annotations)
        var reached = position
        var items: [HistoryItem] = []
        while true {
            if let annotation = annotations.first, annotation.comes(before: entries.first) {
                annotations.removeFirst()
                reached.annotations += 1
                items.append(HistoryItem(content: .annotation(annotation), position: reached))
            } else if let entry = entries.popFirst() {
                reached.entries += 1
                items.append(HistoryItem(content: .entry(entry), position: reached))
            } else {
                return items
            }
        }
    }
}

extension Annotation {
    fileprivate func comes(before entry: Entry?) -> Bool {
        guard let entry else { return true }
        return kind == .attempt ? at <= entry.recordedAt : at < entry.recordedAt
    }
}

extension HistoryItem {
    /// The item as `{sequence?, at, type, label, path, occurrence, verb, line, …}`.
    var json: JSON {
        switch content {
        case .entry(let entry): entry.json
        case .annotation(let annotation): annotation.json
        }
    }
}

extension Entry {
    fileprivate var json: JSON {
        var fields: [String: JSON] = ["sequence": .int(Int64(sequence)), "at": JSON(recordedAt)]
        switch fact {
        case .stepCompleted(let step, let outcome, let attempts, let startedAt):
            fields["type"] = "step"
            fields.merge(step.fields) { $1 }
            switch outcome {
            case .success(let reply): fields["reply"] = JSON(reply)
            case .failure(let error): fields["error"] = JSON(error)
            }
            fields["attempts"] = .int(Int64(attempts))
            fields["started_at"] = JSON(startedAt)
        case .waitOpened(let step, let wait, let attempts):
            fields["type"] = "wait"
            if step.verb.hasPrefix("http.") { fields["attempts"] = .int(Int64(attempts)) }
            fields["wait"] = .string(wait)
            fields.merge(step.fields) { $1 }
        case .attemptBegun(let step):
            fields["type"] = "begun"
            fields.merge(step.fields) { $1 }
        case .versionMoved(let from, let to, let bundle):
            fields["type"] = "moved"
            fields["from"] = .int(Int64(from))
            fields["to"] = .int(Int64(to))
            fields["bundle"] = .string(bundle)
        case .endRequested(let status, let error):
            fields["type"] = "end_requested"
            fields["status"] = .string(status.rawValue)
            fields["error"] = JSON(error)
        case .reset(let sequences):
            fields["type"] = "reset"
            fields["sequences"] = .array(sequences.map { .int(Int64($0)) })
        }
        return .object(fields)
    }
}

extension Step {
    fileprivate var fields: [String: JSON] {
        var fields = address.fields
        fields["verb"] = .string(verb)
        fields["line"] = .int(Int64(line))
        fields["request"] = JSON(arguments)
        return fields
    }
}

extension StepAddress {
    fileprivate var fields: [String: JSON] {
        ["label": .string(label), "path": .string(path), "occurrence": .int(Int64(occurrence))]
    }
}

extension Annotation {
    fileprivate var json: JSON {
        var fields: [String: JSON] = [
            "at": JSON(at), "type": .string(kind.rawValue), "level": .string(level), "text": .string(text),
        ]
        if let data { fields["data"] = JSON(data) }
        if let step { fields.merge(step.fields) { $1 } }
        return .object(fields)
    }
}
