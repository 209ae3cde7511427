import PerigeeJournal

/// One row of what a person is shown before deciding, in the form that the script asked for.
struct ShowRow: Hashable {
    struct Table: Hashable {
        struct Line: Hashable {
            var cells: [String]
        }

        var columns: [String]
        var lines: [Line]
        /// How many lines more there are than are shown.
        var more: Int?
    }

    var label: String
    var text: String
    /// An `http` or `https` address.
    var link: String?
    /// Why the value deserves a second look.
    var warning: String?
    var table: Table?
}

extension ShowRow {
    /// The rows of an approval, in the script's order.
    ///
    /// A row is `{name, value, as, currency, link, warn_below, warn_above}`; one without a value is its name
    /// alone.
    static func rows(_ show: Payload) -> [ShowRow] {
        (JSON(show).array ?? []).map { ShowRow($0) }
    }

    private init(_ row: JSON) {
        let value = row["value"] ?? .string("")
        label = row["name"].map { Self.plain($0) } ?? ""
        text = Self.text(value, format: row["as"]?.string, currency: row["currency"]?.string)
        link = Self.webAddress(row["link"]?.string ?? (row["as"]?.string == "link" ? value.string : nil))
        warning = Self.warning(value, row)
        if row["as"]?.string == "table" { table = Self.table(value) }
    }

    private static func text(_ value: JSON, format: String?, currency: String?) -> String {
        if format == "date", let time = value.string.flatMap(Timestamp.init(rfc3339:)) {
            return TimeView(time).text
        }
        guard let number = value.double else { return plain(value) }
        switch format {
        case "money":
            let isWhole = number.rounded() == number
            let amount = groupedNumber(number, fractionDigits: isWhole ? 0 : 2)
            return currency.map { "\(amount) \($0)" } ?? amount
        case "percent": return "\(groupedNumber(number, fractionDigits: nil)) %"
        case "number": return groupedNumber(number, fractionDigits: nil)
        default: return plain(value)
        }
    }

    static func plain(_ value: JSON) -> String {
        switch value {
        case .null: "–"
        case .bool(let isTrue): isTrue ? "yes" : "no"
        case .string(let text): text
        case .int, .double, .array, .object: value.text
        }
    }

    /// An address that is safe to link to: nothing but the web's own schemes, so that no click runs a script.
    private static func webAddress(_ address: String?) -> String? {
        guard let address else { return nil }
        let scheme = address.prefix { $0 != ":" }.lowercased()
        return (scheme == "http" || scheme == "https") && address.dropFirst(scheme.count).hasPrefix("://")
            ? address : nil
    }

    private static func warning(_ value: JSON, _ row: JSON) -> String? {
        guard let number = value.double else { return nil }
        if let limit = row["warn_below"]?.double, number < limit {
            return "below \(groupedNumber(limit, fractionDigits: nil))"
        }
        if let limit = row["warn_above"]?.double, number > limit {
            return "above \(groupedNumber(limit, fractionDigits: nil))"
        }
        return nil
    }

    /// A list of objects, or of lists, as lines and columns: 100 lines and 12 columns at most.
    private static func table(_ value: JSON) -> Table? {
        guard let elements = value.array, !elements.isEmpty else { return nil }
        let shown = elements.prefix(100)
        let more = elements.count > 100 ? elements.count - 100 : nil
        let columns = Array(Set(shown.flatMap { ($0.object ?? [:]).keys }).sorted().prefix(12))
        let lines = shown.map { element in
            if !columns.isEmpty { return Table.Line(cells: columns.map { element[$0].map(plain) ?? "" }) }
            return Table.Line(cells: (element.array ?? [element]).prefix(12).map(plain))
        }
        return Table(columns: columns, lines: lines, more: more)
    }
}
