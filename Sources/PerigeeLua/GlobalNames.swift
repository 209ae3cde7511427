extension LuaChunk {
    /// A use of a name that no local variable has.
    public struct GlobalUse: Hashable, Sendable {
        public var name: String
        /// From 1.
        public var line: Int
        public var isAssignment: Bool
    }

    /// Every global that the chunk reads or assigns anywhere in it, found in its bytecode.
    ///
    /// The format is that of Lua 5.4's `ldump.c`; bytecode of another version gives none, and the names are then only
    /// checked when they are used.
    public var globals: [GlobalUse] {
        var reader = BytecodeReader(bytes: bytecode)
        return (try? reader.globals()) ?? []
    }
}

private struct BytecodeReader {
    struct Malformed: Error {}

    let bytes: [UInt8]
    var at = 0
    var uses: [LuaChunk.GlobalUse] = []

    private static let getTabUp: UInt32 = 11
    private static let setTabUp: UInt32 = 15

    mutating func globals() throws(Malformed) -> [LuaChunk.GlobalUse] {
        // "\x1bLua", version 5.4, format 0, six check bytes, three sizes, a check integer and number, upvalue count
        guard bytes.count > 32, Array(bytes.prefix(6)) == [0x1B, 0x4C, 0x75, 0x61, 0x54, 0] else { throw Malformed() }
        at = 4 + 1 + 1 + 6 + 3 + 8 + 8 + 1
        try function()
        return uses
    }

    private mutating func byte() throws(Malformed) -> UInt8 {
        guard at < bytes.count else { throw Malformed() }
        defer { at += 1 }
        return bytes[at]
    }

    private mutating func skip(_ count: Int) throws(Malformed) {
        guard count >= 0, at + count <= bytes.count else { throw Malformed() }
        at += count
    }

    /// Seven bits a byte, most significant first; the last byte has its high bit set.
    private mutating func size() throws(Malformed) -> Int {
        var value = 0
        while true {
            let next = try byte()
            guard value < 1 << 48 else { throw Malformed() }
            value = value << 7 | Int(next & 0x7F)
            if next & 0x80 != 0 { return value }
        }
    }

    private mutating func string() throws(Malformed) -> String? {
        let length = try size()
        guard length > 0 else { return nil }
        let start = at
        try skip(length - 1)
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private mutating func function() throws(Malformed) {
        _ = try string()
        let firstLine = try size()
        _ = try size()
        try skip(3)
        let code = try instructions()
        let constants = try constants()
        let upvalueCount = try size()
        try skip(upvalueCount * 3)
        let functions = try size()
        for _ in 0..<functions { try function() }
        let lines = try lines(count: code.count, first: firstLine)
        let names = try upvalueNames()
        collect(code, constants, lines, names)
    }

    private mutating func instructions() throws(Malformed) -> [UInt32] {
        let count = try size()
        guard at + count * 4 <= bytes.count else { throw Malformed() }
        var code: [UInt32] = []
        for _ in 0..<count {
            var word: UInt32 = 0
            for shift in stride(from: UInt32(0), to: 32, by: 8) { word |= UInt32(try byte()) << shift }
            code.append(word)
        }
        return code
    }

    /// The constants; `nil` for those that are no text.
    private mutating func constants() throws(Malformed) -> [String?] {
        var constants: [String?] = []
        for _ in 0..<(try size()) {
            switch try byte() {
            case 0x04, 0x14: constants.append(try string())
            case 0x03, 0x13:
                try skip(8)
                constants.append(nil)
            case 0x00, 0x01, 0x11: constants.append(nil)
            default: throw Malformed()
            }
        }
        return constants
    }

    private mutating func lines(count: Int, first: Int) throws(Malformed) -> [Int] {
        let deltaCount = try size()
        let start = at
        try skip(deltaCount)
        let deltas = bytes[start..<at].map { Int8(bitPattern: $0) }
        var absolute: [Int: Int] = [:]
        for _ in 0..<(try size()) {
            let pc = try size()
            absolute[pc] = try size()
        }
        var line = first
        return deltas.enumerated().map { pc, delta in
            line = delta == -0x80 ? absolute[pc] ?? line : line + Int(delta)
            return line
        }
    }

    private mutating func upvalueNames() throws(Malformed) -> [String?] {
        for _ in 0..<(try size()) {
            _ = try string()
            _ = try size()
            _ = try size()
        }
        var names: [String?] = []
        for _ in 0..<(try size()) { names.append(try string()) }
        return names
    }

    private mutating func collect(_ code: [UInt32], _ constants: [String?], _ lines: [Int], _ names: [String?]) {
        for (pc, word) in code.enumerated() {
            let operation = word & 0x7F
            let isAssignment = operation == BytecodeReader.setTabUp
            guard isAssignment || operation == BytecodeReader.getTabUp else { continue }
            let (a, b, c) = (Int(word >> 7 & 0xFF), Int(word >> 16 & 0xFF), Int(word >> 24))
            let (upvalue, constant) = isAssignment ? (a, b) : (b, c)
            guard upvalue < names.count, names[upvalue] == "_ENV", constant < constants.count,
                let name = constants[constant]
            else { continue }
            let line = pc < lines.count ? lines[pc] : 0
            uses.append(LuaChunk.GlobalUse(name: name, line: line, isAssignment: isAssignment))
        }
    }
}
