/// Takes comments and the contents of strings out of a text, so that what is left is code.
///
/// It knows as much of each language as the house's rules need: no regular expression literals, no preprocessor.
struct CodeScanner {
    private let input: [UInt8]
    private let language: Language
    private var at = 0
    private var output: [UInt8] = []

    /// The text with the same lines, and only the code in them.
    static func code(of text: String, _ language: Language) -> String {
        var scanner = CodeScanner(input: Array(text.utf8), language: language)
        scanner.scan(until: nil)
        return String(decoding: scanner.output, as: UTF8.self)
    }

    private init(input: [UInt8], language: Language) {
        self.input = input
        self.language = language
    }

    /// Scans code to its end, or to the parenthesis that ends an interpolation.
    private mutating func scan(until end: UInt8?) {
        var depth = 0
        while at < input.count {
            if skipComment() || skipString() { continue }
            let byte = input[at]
            if let end {
                if byte == end, depth == 0 { return }
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") { depth -= 1 }
            }
            output.append(byte)
            at += 1
        }
    }

    private func comes(_ text: String, at offset: Int = 0) -> Bool {
        input[min(at + offset, input.count)...].starts(with: text.utf8)
    }

    /// Passes over bytes that are no code; their line ends stay.
    private mutating func skip(_ count: Int = 1) {
        for byte in input[at..<min(at + count, input.count)] where byte == UInt8(ascii: "\n") {
            output.append(byte)
        }
        at = min(at + count, input.count)
    }

    private mutating func skip(to end: String) {
        while at < input.count, !comes(end) { skip() }
        skip(end.utf8.count)
    }

    private mutating func skipComment() -> Bool {
        if language == .lua {
            guard comes("--") else { return false }
            if comes("--[[") { skip(to: "]]") } else { skipLine() }
            return true
        }
        if comes("//") {
            skipLine()
        } else if comes("/*") {
            skip(to: "*/")
        } else {
            return false
        }
        return true
    }

    private mutating func skipLine() {
        while at < input.count, input[at] != UInt8(ascii: "\n") { at += 1 }
    }

    private mutating func skipString() -> Bool {
        switch language {
        case .swift: return skipSwiftString()
        case .lua where comes("[["):
            skip(to: "]]")
            return true
        case .c, .lua:
            let quote = input[at]
            guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { return false }
            skip()
            while at < input.count, input[at] != quote { skip(comes("\\") ? 2 : 1) }
            skip()
            return true
        }
    }

    private mutating func skipSwiftString() -> Bool {
        let hashes = input[at...].prefix { $0 == UInt8(ascii: "#") }.count
        guard comes("\"", at: hashes) else { return false }
        let pounds = String(repeating: "#", count: hashes)
        let quote = comes("\"\"\"", at: hashes) ? "\"\"\"" : "\""
        skip(hashes + quote.utf8.count)
        while at < input.count, !comes(quote + pounds) {
            if comes("\\" + pounds + "(") {
                skip(hashes + 2)
                scan(until: UInt8(ascii: ")"))
                skip()
            } else {
                skip(comes("\\" + pounds) ? hashes + 2 : 1)
            }
        }
        skip(quote.utf8.count + hashes)
        return true
    }
}
