extension JSON {
    /// The value as JSON text with its keys in byte order, so that equal values give equal bytes.
    public var bytes: Payload {
        var output = Payload()
        switch self {
        case .array, .object: output.reserveCapacity(JSON.usualSize)
        default: break
        }
        write(to: &output)
        return output
    }

    /// Enough for most objects, so that they are not moved while they grow.
    private static let usualSize = 128

    /// The value as JSON text with its keys in byte order.
    public var text: String {
        String(decoding: bytes, as: UTF8.self)
    }

    private func write(to output: inout Payload) {
        switch self {
        case .null: output.append(contentsOf: "null".utf8)
        case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
        case .int(let value): output.append(contentsOf: String(value).utf8)
        case .double(let value): output.append(contentsOf: JSON.number(value).utf8)
        case .string(let text): JSON.writeString(text, to: &output)
        case .array(let elements): JSON.write(elements, to: &output)
        case .object(let fields): JSON.write(fields, to: &output)
        }
    }

    /// A floating-point number as JSON; what JSON has no form for (NaN, infinity) becomes `null`.
    private static func number(_ value: Double) -> String {
        guard value.isFinite else { return "null" }
        if let integer = Int64(exactly: value) { return String(integer) }
        return "\(value)"
    }

    private static func write(_ elements: [JSON], to output: inout Payload) {
        output.append(UInt8(ascii: "["))
        for (index, element) in elements.enumerated() {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            element.write(to: &output)
        }
        output.append(UInt8(ascii: "]"))
    }

    private static func write(_ fields: [String: JSON], to output: inout Payload) {
        output.append(UInt8(ascii: "{"))
        let sorted = fields.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        for (index, field) in sorted.enumerated() {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            writeString(field.key, to: &output)
            output.append(UInt8(ascii: ":"))
            field.value.write(to: &output)
        }
        output.append(UInt8(ascii: "}"))
    }

    private static func writeString(_ text: String, to output: inout Payload) {
        output.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { text in
            var plain = 0
            for (at, byte) in text.enumerated() {
                guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                    continue
                }
                output.append(contentsOf: text[plain..<at])
                writeEscaped(byte, to: &output)
                plain = at + 1
            }
            output.append(contentsOf: text[plain...])
        }
        output.append(UInt8(ascii: "\""))
    }

    private static func writeEscaped(_ byte: UInt8, to output: inout Payload) {
        switch byte {
        case 0x0A: output.append(contentsOf: "\\n".utf8)
        case 0x0D: output.append(contentsOf: "\\r".utf8)
        case 0x09: output.append(contentsOf: "\\t".utf8)
        case 0..<0x20:
            output.append(contentsOf: "\\u00".utf8)
            output.append(contentsOf: [hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 15)]])
        default:
            output.append(UInt8(ascii: "\\"))
            output.append(byte)
        }
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)
}
