/// Why a text is not acceptable JSON.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Offset of the first byte that is wrong, from 0.
    public var offset: Int
    /// What is wrong there, in a few words.
    public var reason: String

    public var description: String { "\(reason) at byte \(offset)" }
}

extension JSON {
    /// Parses a JSON text (RFC 8259).
    ///
    /// - Parameters:
    ///   - bytes: the text in UTF-8.
    ///   - maxDepth: how deeply arrays and objects may nest, 1 or more.
    /// - Throws: ``JSONError`` where the text is not JSON, nests deeper than `maxDepth`, repeats a key in one
    ///   object, or is not UTF-8.
    public init(parsing bytes: some Sequence<UInt8>, maxDepth: Int = 64) throws(JSONError) {
        var parser = JSONParser(bytes: Array(bytes), maxDepth: maxDepth)
        self = try parser.document()
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    let maxDepth: Int
    var at = 0

    mutating func document() throws(JSONError) -> JSON {
        let value = try self.value(depth: 0)
        skipSpace()
        guard at == bytes.count else { throw wrong("there is text after the value") }
        return value
    }

    private func wrong(_ reason: String) -> JSONError {
        JSONError(offset: at, reason: reason)
    }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        at += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSON {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth + 1)
        case UInt8(ascii: "["): return try array(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case .some(let byte) where byte == UInt8(ascii: "-") || isDigit(byte): return try number()
        case .none: throw wrong("the text ends where a value should stand")
        default: throw wrong("a value should stand here")
        }
    }

    private mutating func word(_ word: String, _ value: JSON) throws(JSONError) -> JSON {
        guard bytes[at...].starts(with: word.utf8) else { throw wrong("a value should stand here") }
        at += word.utf8.count
        return value
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSON {
        guard depth <= maxDepth else { throw wrong("it nests deeper than \(maxDepth) levels") }
        at += 1
        var fields: [String: JSON] = [:]
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(fields) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw wrong("a key in double quotes should stand here") }
            let keyOffset = at
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw wrong("a colon should stand here") }
            let value = try self.value(depth: depth)
            guard fields.updateValue(value, forKey: key) == nil else {
                throw JSONError(offset: keyOffset, reason: "the key \"\(key)\" stands twice in one object")
            }
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(fields) }
            guard take(UInt8(ascii: ",")) else { throw wrong("a comma or a closing brace should stand here") }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSON {
        guard depth <= maxDepth else { throw wrong("it nests deeper than \(maxDepth) levels") }
        at += 1
        var elements: [JSON] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            elements.append(try value(depth: depth))
            skipSpace()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            guard take(UInt8(ascii: ",")) else {
                throw wrong("a comma or a closing bracket should stand here")
            }
        }
    }

    private mutating func number() throws(JSONError) -> JSON {
        let start = at
        _ = take(UInt8(ascii: "-"))
        guard let first = next, isDigit(first) else { throw wrong("a digit should stand here") }
        if first == UInt8(ascii: "0") { at += 1 } else { digits() }
        var integral = true
        if take(UInt8(ascii: ".")) {
            integral = false
            try someDigits()
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            integral = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try someDigits()
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if integral, let value = Int64(text) { return .int(value) }
        guard let value = Double(text), value.isFinite else {
            throw JSONError(offset: start, reason: "the number is too large")
        }
        return .double(value)
    }

    private mutating func digits() {
        while let byte = next, isDigit(byte) { at += 1 }
    }

    private mutating func someDigits() throws(JSONError) {
        guard let byte = next, isDigit(byte) else { throw wrong("a digit should stand here") }
        digits()
    }

    private func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    private mutating func string() throws(JSONError) -> String {
        let start = at
        at += 1
        // What stands before the last escape; most texts have none.
        var unescaped: [UInt8] = []
        var plain = at
        while true {
            guard let byte = next else {
                throw JSONError(offset: start, reason: "the text in quotes never ends")
            }
            at += 1
            switch byte {
            case UInt8(ascii: "\""):
                let rest = bytes[plain..<at - 1]
                let text = unescaped.isEmpty ? rest : (unescaped + rest)[...]
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw JSONError(offset: start, reason: "the text is not valid UTF-8")
                }
                return string
            case UInt8(ascii: "\\"):
                unescaped += bytes[plain..<at - 1]
                unescaped += try escape()
                plain = at
            case 0..<0x20: throw JSONError(offset: at - 1, reason: "a control character must be escaped")
            default: break
            }
        }
    }

    private mutating func escape() throws(JSONError) -> [UInt8] {
        guard let byte = next else { throw wrong("the text ends inside an escape") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return Array(String(try escapedScalar()).utf8)
        default: throw JSONError(offset: at - 1, reason: "an unknown escape")
        }
    }

    private mutating func escapedScalar() throws(JSONError) -> Character {
        let high = try hexQuad()
        if let scalar = Unicode.Scalar(high) { return Character(scalar) }
        guard high < 0xDC00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw wrong("half of a surrogate pair")
        }
        let low = try hexQuad()
        guard (0xDC00..<0xE000).contains(low),
            let scalar = Unicode.Scalar(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
        else { throw wrong("half of a surrogate pair") }
        return Character(scalar)
    }

    private mutating func hexQuad() throws(JSONError) -> UInt32 {
        guard at + 4 <= bytes.count,
            bytes[at..<at + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
        else { throw wrong("four hexadecimal digits should stand here") }
        at += 4
        return value
    }
}
