import ArgumentParser
import Foundation
import PerigeeJournal

/// How commands show runs.
enum RunColumns {
    static let all = [
        Column("RUN", field: "id"), Column("WORKFLOW", field: "workflow"),
        Column("VERSION") { "v\($0["version"].text)" },
        Column("STATUS", field: "status"), Column("WAITING FOR", field: "waiting_for"),
        Column("STARTED", field: "created_at"),
    ]

    /// A run for people, one fact per line.
    static func lines(_ run: JSON) -> [(name: String, value: String)] {
        let status = [run["status"].text, run["status_text"].text].filter { !$0.isEmpty }.joined(
            separator: " · ")
        var lines = [
            ("run", run["id"].text), ("workflow", "\(run["workflow"].text) v\(run["version"].text)"),
            ("status", status),
        ]
        for wait in run["waits"]?.array ?? [] { lines.append(("waits for", waitText(wait))) }
        if let blockage = run["blocked_by"]?.object { lines.append(("waits for", blockageText(blockage))) }
        lines += [
            ("key", run["key"].text), ("started", moment(run["created_at"])),
            ("ended", moment(run["ended_at"])),
            ("input", run["input"].text), ("output", run["output"].text),
        ]
        if let error = RunError(run["error"]) {
            lines += [("error", error.summary), ("at", error.place)]
            lines += error.excerpt.map { ("", $0) }
            lines += [("next", error.hint), ("more", error.explanation)]
        }
        return lines.map { (name: $0.0, value: $0.1) }
    }

    private static func waitText(_ wait: JSON) -> String {
        let due = wait["due_at"]?.string.map { ", due \($0)" } ?? ""
        switch wait["type"].text {
        case "approval": return "\(wait["label"].text) (approval \(wait["approval"].text)\(due))"
        case "lock":
            let holder = wait["holder"]?.string.map { " held by \($0)" } ?? ""
            return "\(wait["label"].text) (lock \(wait["lock"].text)\(holder)\(due))"
        case "child": return "\(wait["label"].text) (run \(wait["run"].text)\(due))"
        case "retry": return "\(wait["label"].text) (next attempt\(due))"
        case "gate":
            let ahead = wait["ahead"]?.int.map { $0 > 0 ? ", after \($0) others" : "" } ?? ""
            let open = wait["open_until"]?.string.map { ", too many calls failed, none before \($0)" } ?? ""
            return "\(wait["label"].text) (turn at \(wait["gate"].text)\(open)\(ahead))"
        case "event": return "\(wait["label"].text) (event \(wait["event"].text)\(due))"
        default: return "\(wait["label"].text)\(due)"
        }
    }

    /// `its turn: 1 at a time for "acct_1" (run_01J9ZK)`.
    private static func blockageText(_ blockage: [String: JSON]) -> String {
        let key = blockage["key"].text
        let runs = (blockage["runs"]?.array ?? []).compactMap(\.string).joined(separator: ", ")
        let reason =
            switch blockage["kind"].text {
            case "key": "earlier runs with the key \"\(key)\""
            case "breaker": "too many runs of \(key) failed, none begins before \(blockage["until"].text)"
            default:
                "its turn, \(blockage["limit"].text) at a time" + (key.isEmpty ? "" : " for \"\(key)\"")
            }
        return runs.isEmpty ? reason : "\(reason) (\(runs))"
    }

    /// `2026-05-01T10:00:00.000Z (3m ago)`.
    static func moment(_ field: JSON?) -> String {
        guard let text = field?.string, let time = Timestamp(rfc3339: text) else { return "" }
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        return "\(text) (\(spanText(milliseconds: now - time.milliseconds)) ago)"
    }
}
