import Foundation

/// One measured number.
struct Figure: Codable {
    var row: String
    var name: String
    /// `nil` if it could not be measured; the note says why.
    var value: Double?
    var unit: String
    var note: String?

    init(_ row: Row, _ name: String, _ value: Double?, _ unit: String, note: String? = nil) {
        self.row = row.rawValue
        self.name = name
        self.value = value
        self.unit = unit
        self.note = note
    }
}

/// What was measured, and where.
struct Report: Codable {
    var machine: Machine
    var figures: [Figure]

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    /// Markdown, so that it can go into the README as it is.
    func table() -> String {
        let header = ["row", "figure", "value", "unit", "note"]
        let rows = figures.map { figure in
            [figure.row, figure.name, figure.value.map(Report.short) ?? "–", figure.unit, figure.note ?? ""]
        }
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        func line(_ cells: [String]) -> String {
            let padded = zip(cells, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
            return "| " + padded.joined(separator: " | ") + " |"
        }
        let rule = "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"
        return ([machine.summary, "", line(header), rule] + rows.map(line)).joined(separator: "\n")
    }

    /// Three digits that count: 12400, 12.4, 0.0124.
    private static func short(_ value: Double) -> String {
        guard value != 0, value.isFinite else { return "0" }
        let magnitude = Int(log10(abs(value)).rounded(.down))
        guard magnitude < 2 else {
            let unit = pow(10, Double(magnitude - 2))
            return String(Int((value / unit).rounded() * unit))
        }
        return String(format: "%.\(2 - magnitude)f", value)
    }
}

extension Array where Element: BinaryFloatingPoint {
    /// The value that so great a part of the others does not exceed; 0 of an empty array.
    ///
    /// - Parameter part: 0 to 1; 0.5 for the median.
    func percentile(_ part: Double) -> Element {
        guard !isEmpty else { return 0 }
        return sorted()[Swift.min(count - 1, Int(Double(count) * part))]
    }

    var median: Element { percentile(0.5) }
}

extension ContinuousClock.Instant {
    /// The time since this moment, in seconds.
    var age: Double { duration(to: .now) / .seconds(1) }
}
