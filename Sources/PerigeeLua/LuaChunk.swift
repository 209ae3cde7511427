import CLuaShim

/// A compiled text: bytecode that this process made itself, and that loads many times faster than the text.
public struct LuaChunk: Sendable {
    /// The name in messages: `lead_routing.lua`.
    public let name: String
    let bytecode: [UInt8]

    /// Compiles a text.
    ///
    /// - Parameters:
    ///   - source: the text of the chunk; bytecode is refused.
    ///   - name: the name in messages, at most 120 bytes are kept.
    /// - Throws: ``LuaSyntaxError`` where the text is not Lua.
    public static func compile(_ source: String, name: String) throws(LuaSyntaxError) -> LuaChunk {
        var output = BytecodeSink()
        var message = [CChar](repeating: 0, count: 512)
        let text = Array(source.utf8)
        let failed = withUnsafeMutablePointer(to: &output) { sink in
            text.withUnsafeBytes { bytes in
                pg_compile(
                    bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, "=" + name, append,
                    sink,
                    &message, message.count)
            }
        }
        guard failed == 0 else {
            let end = message.firstIndex(of: 0) ?? message.endIndex
            throw LuaSyntaxError(
                parsing: String(decoding: message[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self),
                name: name)
        }
        return LuaChunk(name: name, bytecode: output.bytes)
    }
}

private struct BytecodeSink {
    var bytes: [UInt8] = []
}

private func append(_ context: UnsafeMutableRawPointer?, _ bytes: UnsafeRawPointer?, _ length: Int) -> Int32 {
    guard let context else { return 1 }
    context.assumingMemoryBound(to: BytecodeSink.self).pointee.bytes
        .append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: length))
    return 0
}

/// Why a text is not Lua.
public struct LuaSyntaxError: Error, Hashable, Sendable {
    /// From 1; 0 if it is not known.
    public var line: Int
    /// What is wrong: `'=' expected`.
    public var message: String
    /// What stands there: `'foo'` or `<eof>`.
    public var near: String?

    /// Takes Lua's own message apart: `name:12: '=' expected near 'foo'`.
    init(parsing text: String, name: String) {
        var rest = text[...]
        let shown = String(decoding: name.utf8.prefix(59), as: UTF8.self)  // Lua cuts longer names there
        if rest.hasPrefix(shown + ":") { rest = rest.dropFirst(shown.count + 1) }
        let digits = rest.prefix { $0.isNumber }
        line = Int(digits) ?? 0
        rest = rest.dropFirst(digits.count).drop { $0 == ":" || $0 == " " }
        if let near = rest.firstRange(of: " near ") {
            message = String(rest[..<near.lowerBound])
            self.near = String(rest[near.upperBound...])
        } else {
            message = String(rest)
            near = nil
        }
    }
}
