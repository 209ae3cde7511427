import PerigeeJournal

/// A state as a page shows it: never by its colour alone.
struct StatusView: Hashable {
    var word: String
    var icon: String
    /// The class that gives the colour: `good`, `bad`, `busy`, `wait` or `quiet`.
    var tone: String

    static func of(_ status: RunStatus) -> StatusView {
        switch status {
        case .queued: StatusView(word: "Queued", icon: "○", tone: "quiet")
        case .running: StatusView(word: "Running", icon: "▶", tone: "busy")
        case .waiting: StatusView(word: "Waiting", icon: "◷", tone: "wait")
        case .attention: StatusView(word: "Needs attention", icon: "!", tone: "bad")
        case .paused: StatusView(word: "Paused", icon: "‖", tone: "wait")
        case .completed: StatusView(word: "Completed", icon: "✓", tone: "good")
        case .failed: StatusView(word: "Failed", icon: "✗", tone: "bad")
        case .stopped: StatusView(word: "Stopped", icon: "■", tone: "quiet")
        case .cancelled: StatusView(word: "Cancelled", icon: "⊘", tone: "quiet")
        case .terminated: StatusView(word: "Terminated", icon: "⊗", tone: "bad")
        case .timed_out: StatusView(word: "Timed out", icon: "⌛", tone: "bad")
        case .continued: StatusView(word: "Continued", icon: "↪", tone: "quiet")
        }
    }

    static func of(_ approval: ApprovalRecord) -> StatusView {
        switch approval.status {
        case .waiting: StatusView(word: "Waiting", icon: "◷", tone: "wait")
        case .decided:
            StatusView(word: "Decided: \(approval.decision?.outcome ?? "")", icon: "✓", tone: "good")
        case .expired: StatusView(word: "Expired", icon: "⌛", tone: "quiet")
        case .cancelled: StatusView(word: "Run ended first", icon: "⊘", tone: "quiet")
        }
    }
}

/// A moment on a page: exact for programs, readable for people, in UTC until the page's script shows local
/// time.
struct TimeView: Hashable {
    var iso: String
    var text: String

    init(_ time: Timestamp) {
        iso = time.description
        text = "\(iso.prefix(10)) \(iso.dropFirst(11).prefix(8)) UTC"
    }

    init?(_ time: Timestamp?) {
        guard let time else { return nil }
        self.init(time)
    }
}

/// A duration in the two largest units that matter: `12 ms`, `1.4 s`, `1m 12s`, `2h 5m`, `3d 4h`.
func durationText(milliseconds: Int64) -> String {
    let milliseconds = max(0, milliseconds)
    let seconds = milliseconds / 1000
    switch seconds {
    case 0: return "\(milliseconds) ms"
    case 1..<10: return "\(seconds).\(milliseconds % 1000 / 100) s"
    case 10..<60: return "\(seconds) s"
    case 60..<3600: return "\(seconds / 60)m \(seconds % 60)s"
    case 3600..<86_400: return "\(seconds / 3600)h \(seconds / 60 % 60)m"
    default: return "\(seconds / 86_400)d \(seconds / 3600 % 24)h"
    }
}

func durationText(from start: Timestamp, to end: Timestamp) -> String {
    durationText(milliseconds: end.milliseconds - start.milliseconds)
}

/// `in 3h 5m`, or `1m 3s ago`.
func relativeText(_ time: Timestamp, now: Timestamp) -> String {
    time > now ? "in \(durationText(from: now, to: time))" : "\(durationText(from: time, to: now)) ago"
}

/// A number with its thousands apart: `1,234,500`, `1,234.50`.
///
/// - Parameter fractionDigits: how many digits follow the point, 0 to 9; `nil` for as many as the number has.
func groupedNumber(_ value: Double, fractionDigits: Int?) -> String {
    guard abs(value) < 1e15 else { return "\(value)" }
    var text = "\(abs(value))"
    if let digits = fractionDigits {
        let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
        let scaled = String(Int64((abs(value) * scale).rounded()))
        let padded = String(repeating: "0", count: max(0, digits + 1 - scaled.count)) + scaled
        text = digits == 0 ? padded : "\(padded.dropLast(digits)).\(padded.suffix(digits))"
    } else if text.hasSuffix(".0") {
        text.removeLast(2)
    } else if text.contains("e") {
        return "\(value)"
    }
    let parts = text.split(separator: ".", maxSplits: 1)
    var whole = ""
    for (index, digit) in parts[0].reversed().enumerated() {
        if index > 0, index % 3 == 0 { whole.append(",") }
        whole.append(digit)
    }
    let sign = value < 0 ? "−" : ""
    return sign + String(whole.reversed()) + (parts.count > 1 ? ".\(parts[1])" : "")
}

extension JSON {
    /// The value over several lines, keys in order, for people.
    ///
    /// - Parameter limit: about how many bytes at most; what is more is cut off, and said so.
    func pretty(limit: Int = 32_768) -> String {
        var output = ""
        write(to: &output, indent: "", limit: limit)
        return output.utf8.count < limit ? output : output + "\n… cut here; the API has all of it."
    }

    private func write(to output: inout String, indent: String, limit: Int) {
        guard output.utf8.count < limit else { return }
        let inner = indent + "  "
        switch self {
        case .array(let elements) where !elements.isEmpty:
            output += "["
            for (index, element) in elements.enumerated() {
                guard output.utf8.count < limit else { return }
                output += (index == 0 ? "\n" : ",\n") + inner
                element.write(to: &output, indent: inner, limit: limit)
            }
            output += "\n\(indent)]"
        case .object(let fields) where !fields.isEmpty:
            output += "{"
            for (index, field) in fields.sorted(by: { $0.key < $1.key }).enumerated() {
                guard output.utf8.count < limit else { return }
                output += (index == 0 ? "\n" : ",\n") + inner + JSON.string(field.key).text + ": "
                field.value.write(to: &output, indent: inner, limit: limit)
            }
            output += "\n\(indent)}"
        default:
            let room = limit - output.utf8.count
            output += String(text.prefix(room))
        }
    }
}
