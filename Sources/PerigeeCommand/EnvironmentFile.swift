import Foundation

/// The lines of a `.env` file: `NAME=value`, with quotes, comments and `export` as shells and Docker know them.
struct EnvironmentFile {
    /// In the order of the file; of a name that stands twice, both.
    private(set) var variables: [(name: String, value: String)] = []

    /// Reads a text.
    ///
    /// - Throws: ``CommandFailure`` for a line that is none of these; it names the line's number and not its text.
    init(_ text: String, name: String) throws(CommandFailure) {
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .enumerated()
        {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("#") { continue }
            let rest =
                line.hasPrefix("export ") ? line.dropFirst("export ".count).drop { $0 == " " } : line[...]
            guard let equals = rest.firstIndex(of: "="), equals > rest.startIndex,
                rest[..<equals].allSatisfy({
                    $0.isASCII && ($0.isLetter || $0.isNumber || "_-.".contains($0))
                }),
                let value = EnvironmentFile.value(rest[rest.index(after: equals)...]), !value.isEmpty
            else {
                throw CommandFailure(
                    code: "PG5042", message: "Line \(index + 1) of \(name) is not NAME=value.",
                    hint: "Correct it; nothing was set.")
            }
            variables.append((String(rest[..<equals]), value))
        }
    }

    /// What stands behind the equals sign; `nil` where a quote has no end or something stands behind it.
    private static func value(_ written: Substring) -> String? {
        let text = written.drop { $0 == " " || $0 == "\t" }
        guard let quote = text.first, quote == "\"" || quote == "'" else {
            // A comment begins with a space, so that a value may have a # in it.
            let end = written.firstRange(of: " #")?.lowerBound ?? written.endIndex
            return written[..<end].trimmingCharacters(in: .whitespaces)
        }
        var value = ""
        var rest = text.dropFirst()
        while let character = rest.popFirst() {
            if character == quote {
                let tail = rest.drop { $0 == " " || $0 == "\t" }
                return tail.isEmpty || tail.hasPrefix("#") ? value : nil
            }
            guard character == "\\", quote == "\"", let escaped = rest.popFirst() else {
                value.append(character)
                continue
            }
            switch escaped {
            case "n": value += "\n"
            case "r": value += "\r"
            case "t": value += "\t"
            case "\"", "\\", "$", "`": value.append(escaped)
            default: value += "\\" + String(escaped)
            }
        }
        return nil
    }
}
