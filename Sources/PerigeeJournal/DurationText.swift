/// Durations as people write them: `90s`, `15m`, `48h`, `3d`, `2w`, `1h30m`, and ISO 8601 (`PT48H`, `P3D`,
/// `P2W`).
public enum DurationText {
    /// The longest duration that is accepted: 100 years of 365 days, in milliseconds.
    public static let longest: Int64 = 100 * 365 * 86_400_000

    /// Reads a duration.
    ///
    /// Units are `ms s m h d w`, each at most once and in falling order, in whole numbers. ISO 8601 months
    /// and years are refused, because their length depends on a date. A bare number is refused, because it
    /// has no unit.
    ///
    /// - Returns: milliseconds, from 0 to ``longest``; `nil` if the text is not a duration or is longer.
    public static func milliseconds(in text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.first == UInt8(ascii: "P") else {
            return sum(of: bytes[...], units: plainUnits)
        }
        let body = bytes.dropFirst()
        guard let separator = body.firstIndex(of: UInt8(ascii: "T")) else {
            return sum(of: body, units: isoWeeks) ?? sum(of: body, units: isoDays)
        }
        let days = body[..<separator]
        guard let inDay = sum(of: body[(separator + 1)...], units: isoTimes),
            let whole = days.isEmpty ? 0 : sum(of: days, units: isoDays)
        else { return nil }
        return whole + inDay <= longest ? whole + inDay : nil
    }

    /// Writes a duration: `1h30m`; 0 and less are `0s`.
    public static func text(milliseconds: Int64) -> String {
        var rest = max(0, milliseconds)
        var text = ""
        for unit in plainUnits where rest >= unit.milliseconds {
            text += "\(rest / unit.milliseconds)\(unit.name)"
            rest %= unit.milliseconds
        }
        return text.isEmpty ? "0s" : text
    }

    private static let plainUnits: [(name: String, milliseconds: Int64)] = [
        ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]
    private static let isoWeeks: [(name: String, milliseconds: Int64)] = [("W", 604_800_000)]
    private static let isoDays: [(name: String, milliseconds: Int64)] = [("D", 86_400_000)]
    private static let isoTimes: [(name: String, milliseconds: Int64)] = [
        ("H", 3_600_000), ("M", 60_000), ("S", 1000),
    ]

    /// One or more of `<digits><unit>`, the units in the given order.
    private static func sum(
        of bytes: ArraySlice<UInt8>, units: [(name: String, milliseconds: Int64)]
    ) -> Int64? {
        var rest = bytes
        var remaining = units[...]
        var total: Int64 = 0
        repeat {
            let digits = rest.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
            rest = rest[digits.endIndex...]
            let letters = rest.prefix { $0 < UInt8(ascii: "0") || $0 > UInt8(ascii: "9") }
            rest = rest[letters.endIndex...]
            guard let count = Int64(String(decoding: digits, as: UTF8.self)),
                let unit = remaining.firstIndex(where: { $0.name.utf8.elementsEqual(letters) })
            else { return nil }
            let (part, overflow) = count.multipliedReportingOverflow(by: remaining[unit].milliseconds)
            guard !overflow, part <= longest - total else { return nil }
            total += part
            remaining = remaining[(unit + 1)...]
        } while !rest.isEmpty
        return total
    }
}
