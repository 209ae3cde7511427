/// A word, a literal or a sign of a Lua text.
struct LuaToken: Hashable {
    enum Kind { case name, keyword, number, text, sign }

    var kind: Kind
    /// As it is written; a text literal without its quotes.
    var text: String
    /// From 1.
    var line: Int
    /// Where it begins and ends in its line, in bytes from 0; a literal over several lines ends with the first one.
    var columns: Range<Int>
}

/// Cuts a Lua text into tokens.
///
/// It is for showing errors: a text that is no Lua gives tokens all the same.
struct LuaTokens {
    private let bytes: [UInt8]
    private var at = 0
    private var line = 1
    private var lineStart = 0
    private var tokens: [LuaToken] = []

    /// The tokens of a few lines of a text, which is read from its beginning: a comment may have begun there.
    ///
    /// Few enough that looking at each pair of them takes no time, whatever the script is.
    static func near(_ line: Int, in text: String) -> [LuaToken] {
        var reader = LuaTokens(bytes: Array(text.utf8))
        let found = reader.read(lines: (line - 12)...(line + 12))
        return found.count <= most ? found : Array(found.filter { $0.line == line }.prefix(most))
    }

    private static let most = 600

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private static let keywords: Set<String> = [
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
        "local",
        "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
    ]
    private static let signs = ["...", "..", "==", "~=", "<=", ">=", "//", "<<", ">>", "::"].map {
        Array($0.utf8)
    }

    private mutating func read(lines: ClosedRange<Int>) -> [LuaToken] {
        while at < bytes.count, line <= lines.upperBound, tokens.count < 20 * LuaTokens.most {
            let start = (at: at, line: line, column: at - lineStart)
            guard let (kind, text) = next() else { continue }
            guard start.line >= lines.lowerBound else { continue }
            let end = line == start.line ? at - lineStart : start.column + max(1, lineLength(from: start.at))
            tokens.append(LuaToken(kind: kind, text: text, line: start.line, columns: start.column..<end))
        }
        return tokens
    }

    private func lineLength(from start: Int) -> Int { bytes[start...].prefix { $0 != 0x0A }.count }

    private func byte(_ offset: Int = 0) -> UInt8 { at + offset < bytes.count ? bytes[at + offset] : 0 }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private mutating func advance(_ count: Int = 1) {
        for _ in 0..<count where at < bytes.count {
            if bytes[at] == 0x0A {
                line += 1
                lineStart = at + 1
            }
            at += 1
        }
    }

    /// The next token; `nil` for blanks and comments.
    private mutating func next() -> (LuaToken.Kind, String)? {
        let start = at
        switch byte() {
        case 0x09...0x0D, 0x20: advance()
        case UInt8(ascii: "-") where byte(1) == UInt8(ascii: "-"):
            advance(2)
            if longText() == nil { while at < bytes.count, byte() != 0x0A { advance() } }
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return (.text, quoted())
        case UInt8(ascii: "["):
            if let text = longText() { return (.text, text) }
            advance()
            return (.sign, "[")
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            return number(from: start)
        case let first where isWord(first):
            while isWord(byte()) { advance() }
            let word = text(start..<at)
            return (LuaTokens.keywords.contains(word) ? .keyword : .name, word)
        default:
            let sign = LuaTokens.signs.first { bytes[at...].starts(with: $0) }
            advance(sign?.count ?? 1)
            return (.sign, text(start..<at))
        }
        return nil
    }

    private func isWord(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || byte >= 0x80 || (0x30...0x39).contains(byte)
            || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte)
    }

    private mutating func number(from start: Int) -> (LuaToken.Kind, String) {
        while isWord(byte()) || (byte() == UInt8(ascii: ".") && byte(1) != UInt8(ascii: ".")) {
            let isExponent = byte() | 0x20 == UInt8(ascii: "e")
            advance()
            if isExponent, byte() == UInt8(ascii: "-") || byte() == UInt8(ascii: "+") { advance() }
        }
        return (.number, text(start..<at))
    }

    private mutating func quoted() -> String {
        let quote = byte()
        advance()
        let start = at
        while at < bytes.count, byte() != quote, byte() != 0x0A {
            advance(byte() == UInt8(ascii: "\\") ? 2 : 1)
        }
        defer { if byte() == quote { advance() } }
        return text(start..<min(at, bytes.count))
    }

    /// `[[…]]` or `[==[…]==]`; `nil`, with nothing read, if none begins here.
    private mutating func longText() -> String? {
        guard byte() == UInt8(ascii: "[") else { return nil }
        var level = 0
        while byte(1 + level) == UInt8(ascii: "=") { level += 1 }
        guard byte(1 + level) == UInt8(ascii: "[") else { return nil }
        advance(2 + level)
        let start = at
        let end = Array("]\(String(repeating: "=", count: level))]".utf8)
        while at < bytes.count, !bytes[at...].starts(with: end) { advance() }
        let found = text(start..<at)
        advance(end.count)
        return found
    }
}
