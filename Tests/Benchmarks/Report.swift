import Foundation

/// One measured number.
struct Figure: Codable {
    var row: String
    var name: String
    /// The median of its rounds; `nil` if it could not be measured, and the note says why.
    var value: Double?
    /// The least and the greatest of its rounds; `nil` if it was measured once.
    var low: Double?
    var high: Double?
    var unit: String
    var note: String?
    /// The value must not be greater; `nil` for a figure that depends on the machine.
    var limit: Double?

    /// A figure that was measured once.
    init(_ row: Row, _ name: String, _ value: Double?, _ unit: String, note: String? = nil) {
        self.row = row.rawValue
        self.name = name
        self.value = value
        self.unit = unit
        self.note = note
    }

    /// A figure that was measured in rounds; without any, it could not be measured.
    init(_ row: Row, _ name: String, rounds: [Double], _ unit: String, note: String? = nil) {
        self.init(row, name, rounds.isEmpty ? nil : rounds.median, unit, note: note)
        guard rounds.count > 1 else { return }
        low = rounds.min()
        high = rounds.max()
    }

    /// Whether it is worse than it may be.
    var isAboveLimit: Bool {
        guard let value, let limit else { return false }
        return value > limit
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

    /// Markdown, so that it can go into the README as it is; no line of its tables is longer than 120 characters.
    func table() -> String {
        let rows = figures.reduce(into: [String]()) { rows, figure in
            if rows.last != figure.row { rows.append(figure.row) }
        }
        let sections = rows.map { row in section(row, figures.filter { $0.row == row }) }
        return ([machine.summary] + sections).joined(separator: "\n\n")
    }

    private func section(_ row: String, _ figures: [Figure]) -> String {
        let header = ["figure", "median", "min – max", "unit"]
        let cells = figures.map { figure in
            [figure.name, figure.value.map(Report.short) ?? "–", Report.spread(figure), figure.unit]
        }
        let widths = header.indices.map { column in ([header] + cells).map { $0[column].count }.max() ?? 0 }
        func line(_ cells: [String]) -> String {
            let padded = zip(cells, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return "| " + padded.joined(separator: " | ") + " |"
        }
        let rule = "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"
        let notes = figures.compactMap { figure in figure.note.map { "- \(figure.name): \($0)" } }
        let table = (["### \(row)", "", line(header), rule] + cells.map(line)).joined(separator: "\n")
        return notes.isEmpty ? table : table + "\n\n" + notes.joined(separator: "\n")
    }

    private static func spread(_ figure: Figure) -> String {
        guard let low = figure.low, let high = figure.high else { return "" }
        return "\(short(low)) – \(short(high))"
    }

    /// Three digits that count: 12400, 12.4, 0.0124.
    static func short(_ value: Double) -> String {
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
