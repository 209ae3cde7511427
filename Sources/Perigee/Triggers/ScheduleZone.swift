import Foundation
import PerigeeJournal

/// A time zone of the IANA database, by its name.
struct ScheduleZone: Hashable, Sendable {
    static let utc = ScheduleZone(name: "UTC", zone: .gmt)

    let name: String
    private let zone: TimeZone

    private init(name: String, zone: TimeZone) {
        self.name = name
        self.zone = zone
    }

    /// `nil` if there is no zone of this name; offsets such as `GMT+2` are none.
    init?(_ name: String) {
        if name == "UTC" {
            self = .utc
            return
        }
        let isOffset = !name.contains("/") && name.contains { $0.isNumber || $0 == "+" || $0 == "-" }
        let isPlain = name.utf8.allSatisfy { $0 < 0x80 && $0 > 0x20 } && name.utf8.count <= 64
        guard isPlain, !isOffset, let zone = TimeZone(identifier: name) else { return nil }
        self.init(name: name, zone: zone)
    }

    /// The name that was probably meant.
    static func nearest(to name: String) -> String? {
        NearestName.of(name, among: TimeZone.knownTimeZoneIdentifiers)
    }

    /// How far the zone's clocks are ahead of UTC, in seconds.
    ///
    /// - Parameter instant: seconds since 1970 in UTC.
    func offset(at instant: Int64) -> Int64 {
        Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(instant))))
    }

    /// When the zone's clocks show a time, in seconds since 1970.
    ///
    /// It is the first time if they show it twice, and right after the gap if they never do.
    ///
    /// - Parameter local: what the clocks show, as if it were UTC.
    func instant(ofLocal local: Int64) -> Int64 {
        let before = offset(at: local - 26 * 3600)
        let after = offset(at: local + 26 * 3600)
        let shown = [local - before, local - after].filter { $0 + offset(at: $0) == local }
        if let first = shown.min() { return first }
        // The clocks were put forward between these two: find the first second after it.
        var low = local - max(before, after)
        var high = local - min(before, after)
        while low < high {
            let middle = low + (high - low) / 2
            if middle + offset(at: middle) > local { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// RFC 3339 with the zone's offset, such as `2026-11-21T02:00:00+01:00`.
    func text(_ time: Timestamp) -> String {
        let seconds = floorDivide(time.milliseconds, 1000)
        let offset = offset(at: seconds)
        let local = Timestamp(milliseconds: (seconds + offset) * 1000).description.dropLast(5)
        guard offset != 0 || name != "UTC" else { return local + "Z" }
        func pad(_ value: Int64) -> String { (value < 10 ? "0" : "") + String(value) }
        let minutes = abs(offset) / 60
        return "\(local)\(offset < 0 ? "-" : "+")\(pad(minutes / 60)):\(pad(minutes % 60))"
    }
}
