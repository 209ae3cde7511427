import Foundation
import PerigeeJournal
import PerigeeLua

/// What a zone's rules say of a moment, or of what its clocks show.
struct ZoneCall {
    /// The function that the script called, for messages.
    private let name: String
    /// Milliseconds since 1970, or the same of what clocks show, as if that were UTC.
    private let milliseconds: Int64
    private let zone: String

    init?(_ arguments: [JSON]) {
        guard arguments.count == 3, let name = arguments[0].string, let milliseconds = arguments[1].int,
            let zone = arguments[2].string
        else { return nil }
        self.name = name
        self.milliseconds = milliseconds
        self.zone = zone
    }

    /// Seconds east of UTC at the moment.
    var offset: LuaReply {
        guard let rules = TimeZone(identifier: zone) else { return unknown }
        return HostFunction.value(.int(ZoneCall.offset(rules, at: milliseconds) / 1000))
    }

    /// The moment at which clocks show a time: the first of two, and as much later as clocks are put forward where
    /// they never show it.
    var moment: LuaReply {
        guard let rules = TimeZone(identifier: zone) else { return unknown }
        let day: Int64 = 86_400_000
        let before = milliseconds - ZoneCall.offset(rules, at: milliseconds - day)
        let after = milliseconds - ZoneCall.offset(rules, at: milliseconds + day)
        let shown = [before, after].filter { $0 + ZoneCall.offset(rules, at: $0) == milliseconds }
        return HostFunction.value(.int(shown.min() ?? before))
    }

    private static func offset(_ rules: TimeZone, at milliseconds: Int64) -> Int64 {
        let date = Date(timeIntervalSince1970: Double(milliseconds) / 1000)
        return Int64(rules.secondsFromGMT(for: date)) * 1000
    }

    private var unknown: LuaReply {
        let near = NearestName.of(zone, among: TimeZone.knownTimeZoneIdentifiers)
        return .failure(
            ScriptError(
                code: "PG1013", kind: "validation", message: "\(name): \"\(zone)\" is no time zone.",
                hint: near.map { "Did you mean \"\($0)\"?" } ?? "Write a name such as \"Europe/Paris\"."
            ).bytes)
    }
}
