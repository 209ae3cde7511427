import PerigeeJournal

/// A time span in the words of a terminal: `12 ms`, `41 s`, `1m 12s`, `3h 5m`, `2d 4h`.
func spanText(milliseconds: Int64) -> String {
    let seconds = max(0, milliseconds) / 1000
    func pair(_ large: Int64, _ largeName: String, _ small: Int64, _ smallName: String) -> String {
        small == 0 ? "\(large)\(largeName)" : "\(large)\(largeName) \(small)\(smallName)"
    }
    switch seconds {
    case ..<1: return "\(max(0, milliseconds)) ms"
    case ..<60: return "\(seconds) s"
    case ..<3600: return pair(seconds / 60, "m", seconds % 60, "s")
    case ..<86_400: return pair(seconds / 3600, "h", seconds % 3600 / 60, "m")
    default: return pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h")
    }
}

/// What starts a workflow, from its declared triggers: `on event demo.requested`.
func triggerText(_ triggers: [JSON]) -> String {
    let words = triggers.map { trigger in
        if let event = trigger["event"]?.string { return "on event \(event)" }
        if let http = trigger["http"]?.string {
            let parts = http.split(separator: " ", maxSplits: 1).map(String.init)
            let path = (parts.last ?? "").drop { $0 == "/" }
            return "on \(parts.count == 2 ? parts[0] + " " : "")/hooks/\(path)"
        }
        if let cron = trigger["cron"]?.string { return "at cron \(cron), \(trigger["tz"]?.string ?? "UTC")" }
        if let interval = trigger["every"]?.string { return "every \(interval)" }
        return "by hand"
    }
    return words.isEmpty ? "by hand" : words.joined(separator: ", ")
}

/// `1 run`, `2 runs`.
func counted(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
}

/// How a decision reads after the fact: `approved by ana@acme.example: "ok"`.
func decisionText(outcome: String, by: String, comment: String?) -> String {
    let verb =
        switch outcome.lowercased() {
        case "approve": "approved"
        case "reject": "rejected"
        case "submit": "filled in"
        case "retry": "repaired"
        case "discard": "discarded"
        default: "\"\(outcome)\" chosen"
        }
    return "\(verb) by \(by)" + (comment.map { ": \"\($0)\"" } ?? "")
}
