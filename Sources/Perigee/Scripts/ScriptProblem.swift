public import PerigeeJournal
import PerigeeLua

/// Why a script can't be loaded, with the place in its text.
public struct ScriptProblem: ExplainedError, Hashable {
    public var code: String
    public var message: String
    public var hint: String
    /// The file as its path in the scripts folder: `lib/crm.lua`.
    public var file: String
    /// From 1; 0 where no line is to blame.
    public var line: Int
    /// From 1; 0 where no column is known.
    public var column: Int
    /// The lines in question with a caret below; empty where no line is to blame.
    public var excerpt: String

    /// Describes a problem at a place of a text.
    ///
    /// - Parameters:
    ///   - word: what the caret points at, searched in the line and the few after it.
    ///   - text: the file's text, for the excerpt.
    init(
        code: String, message: String, hint: String, file: String, line: Int = 0, word: String? = nil,
        text: String? = nil
    ) {
        self.code = code
        self.message = message
        self.hint = hint
        self.file = file
        self.line = line
        column = 0
        excerpt = ""
        show(SourcePlace(line: line, word: word, text: text ?? ""))
    }

    private mutating func show(_ place: SourcePlace?) {
        guard let place else { return }
        line = place.line
        column = place.column
        excerpt = place.excerpt
    }
}

extension ScriptProblem {
    /// A problem that Lua's compiler found.
    init(_ error: LuaSyntaxError, file: String, text: String) {
        let near = error.near.map {
            $0.hasPrefix("'") && $0.hasSuffix("'") ? String($0.dropFirst().dropLast()) : $0
        }
        let found = near.map { $0 == "<eof>" ? " at the end of the file" : " near `\($0)`" } ?? ""
        self.init(
            code: "PG1009", message: "The script can't be read as Lua: \(error.message)\(found).",
            hint: "Correct the line and save again.", file: file, line: error.line, word: near, text: text)
    }

    /// An error that the script raised while it was loaded.
    ///
    /// - Parameter lookUp: reads a value in the frame that failed.
    init(
        _ failure: LuaFailure, file: String, texts: [String: String],
        lookUp: @escaping LuaLookUp = { _, _ in nil }
    ) {
        let report = FailureReport(failure, files: texts, lookUp: lookUp)
        let place = report.script.isEmpty ? file : report.script
        self.init(
            code: report.code == FailureReport.own ? "PG1012" : report.code,
            message: report.code == FailureReport.own
                ? "The script failed while it was loaded: \(report.message)" : report.message,
            hint: report.hint ?? "Correct the line and save again.", file: place,
            // `return workflow {…}` is a tail call, of which Lua keeps no line: then the word tells the place.
            line: max(report.line, 1), word: report.word ?? (report.line == 0 ? "workflow" : nil),
            text: texts[place])
        if report.columns != nil { show(report.place) }
    }
}

/// A line of a text with what surrounds it.
struct SourcePlace {
    /// How far after the line the word may stand: in a long table of options.
    private static let searchedLines = 60

    let line: Int
    let column: Int
    let excerpt: String

    /// Finds the word in the line or after it, and draws the line before, the line and a caret.
    init?(line: Int, word: String?, text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard line >= 1, line <= lines.count, !text.isEmpty else { return nil }
        var found = (line: line, start: 0, length: 0)
        if let word, !word.isEmpty {
            for candidate in line...min(line + SourcePlace.searchedLines, lines.count) {
                guard let start = SourcePlace.find(word, in: lines[candidate - 1]) else { continue }
                found = (candidate, start, word.count)
                break
            }
        }
        let content = lines[found.line - 1]
        if found.length == 0 {
            found.start = content.prefix { $0 == " " || $0 == "\t" }.count
            found.length = max(1, min(content.count - found.start, 60))
        }
        self.line = found.line
        column = found.start + 1
        excerpt = SourcePlace.draw(found, lines: lines)
    }

    /// Draws the line before, the line, and carets below some columns, in bytes from 0.
    init?(line: Int, columns: Range<Int>, text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard line >= 1, line <= lines.count, !text.isEmpty else { return nil }
        let bytes = lines[line - 1].utf8
        let start = String(decoding: bytes.prefix(columns.lowerBound), as: UTF8.self).count
        let end = String(decoding: bytes.prefix(columns.upperBound), as: UTF8.self).count
        self.line = line
        column = start + 1
        excerpt = SourcePlace.draw((line, start, max(1, end - start)), lines: lines)
    }

    private static func draw(_ place: (line: Int, start: Int, length: Int), lines: [Substring]) -> String {
        let width = String(place.line).count
        var drawn: [String] = []
        for number in max(1, place.line - 1)...place.line {
            let label = String(number)
            let indent = String(repeating: " ", count: width - label.count)
            drawn.append("  \(indent)\(label) | \(lines[number - 1].prefix(160))")
        }
        let before = lines[place.line - 1].prefix(min(place.start, 160)).map { $0 == "\t" ? "\t" : " " }
        drawn.append(
            "  \(String(repeating: " ", count: width)) | \(before.joined())"
                + String(repeating: "^", count: min(place.length, 80)))
        return drawn.joined(separator: "\n")
    }

    /// The column (from 0) where a word stands by itself.
    private static func find(_ word: String, in line: Substring) -> Int? {
        let characters = Array(line)
        let wanted = Array(word)
        guard !wanted.isEmpty, characters.count >= wanted.count else { return nil }
        func isName(_ character: Character) -> Bool {
            character.isLetter || character.isNumber || character == "_"
        }
        for start in 0...(characters.count - wanted.count)
        where characters[start..<start + wanted.count].elementsEqual(wanted) {
            let before = start > 0 ? characters[start - 1] : " "
            let end = start + wanted.count
            let after = end < characters.count ? characters[end] : " "
            if isName(wanted[0]) && isName(before) { continue }
            if isName(wanted[wanted.count - 1]) && isName(after) { continue }
            return start
        }
        return nil
    }
}
