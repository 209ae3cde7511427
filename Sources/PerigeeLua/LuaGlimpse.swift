/// A key of a table, on the way to a value.
public enum LuaKey: Hashable, Sendable {
    case text(String)
    case index(Int)

    var encoded: String {
        switch self {
        case .text(let text): "s\(text)"
        case .index(let number): "i\(number)"
        }
    }
}

/// What is known of a value in a state that has failed.
public struct LuaGlimpse: Hashable, Sendable {
    /// Lua's name of the type, or `null` for JSON's null.
    public var type: String
    /// Of a table: up to 64 of its keys that are text, sorted.
    public var keys: [String]
    /// Of a table: how many items it has as a list.
    public var count: Int
    /// A whole number or a short text as a key.
    public var key: LuaKey?

    public init(type: String, keys: [String] = [], count: Int = 0, key: LuaKey? = nil) {
        self.type = type
        self.keys = keys.sorted()
        self.count = count
        self.key = key
    }

    /// Takes the shim's answer apart: texts, each ended by a zero byte.
    init?(parsing bytes: Bytes) {
        let parts = bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast().map {
            String(decoding: $0, as: UTF8.self)
        }
        guard let type = parts.first else { return nil }
        self.init(type: type)
        switch type {
        case "table":
            count = parts.dropFirst().first.flatMap { Int($0) } ?? 0
            keys = parts.dropFirst(2).sorted()
        case "string": key = parts.dropFirst().first.map { .text($0) }
        case "number": key = parts.dropFirst().first.flatMap { Int($0) }.map { .index($0) }
        default: break
        }
    }
}
