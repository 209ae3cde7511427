import ArgumentParser
import PerigeeJournal

/// How data is written to standard output.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
    /// Columns with a heading, for people.
    case table
    /// One record per line, its fields separated by tabs.
    case plain
    /// The answer of the server as it is.
    case json
    /// One JSON value per line.
    case jsonl
}

struct OutputOptions: ParsableArguments {
    @Option(
        name: [.customShort("o"), .long],
        help: "table, plain, json or jsonl; a table on a terminal, plain in a pipe.")
    var output: OutputFormat?

    var format: OutputFormat { output ?? (Terminal.outputIsTTY ? .table : .plain) }
}

/// A column of a list: its heading, and what of an item stands in it.
struct Column: Sendable {
    let title: String
    let value: @Sendable (JSON) -> String

    init(_ title: String, _ value: @escaping @Sendable (JSON) -> String) {
        self.title = title
        self.value = value
    }

    /// A column of a field that is text, a number, or missing.
    init(_ title: String, field: String) {
        self.init(title) { $0[field].text }
    }
}

/// Lists of items in each format.
struct Listing {
    let columns: [Column]
    let format: OutputFormat

    /// Writes the items of an answer.
    ///
    /// - Parameter empty: said to people where there are none.
    func write(_ answer: JSON, empty: String) {
        let items = answer["items"]?.array ?? []
        switch format {
        case .json: print(answer.text)
        case .jsonl: for item in items { print(item.text) }
        case .plain: for item in items { print(record(item)) }
        case .table: items.isEmpty ? standardError(empty) : writeTable(items)
        }
    }

    /// Writes one item: as JSON, as a record, or as lines made for it.
    func write(item: JSON, lines: (JSON) -> [(name: String, value: String)]) {
        switch format {
        case .json, .jsonl: print(item.text)
        case .plain: print(record(item))
        case .table:
            let lines = lines(item).filter { !$0.value.isEmpty }
            let width = lines.map(\.name.count).max() ?? 0
            for line in lines { print("\(line.name.padded(to: width))  \(line.value.printable)") }
        }
    }

    private func record(_ item: JSON) -> String {
        columns.map { $0.value(item).oneLine }.joined(separator: "\t")
    }

    private func writeTable(_ items: [JSON]) {
        let rows = [columns.map(\.title)] + items.map { item in columns.map { $0.value(item).oneLine } }
        let widths = columns.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            let cells = zip(row, widths).map { $0.padded(to: $1) }
            print(cells.joined(separator: "  ").trimmedEnd)
        }
    }
}

extension String {
    fileprivate var trimmedEnd: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}

extension JSON? {
    /// The value as a person reads it: text without quotes, nothing for null.
    var text: String {
        switch self {
        case nil, .null?: ""
        case .string(let text)?: text
        case let value?: value.text
        }
    }
}
