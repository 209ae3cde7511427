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

    mutating func globals() throws(Malformed) -> [LuaChunk.GlobalUse] {
        // "\x1bLua", version 5.4, format 0, six check bytes, three sizes, a check integer and number, upvalue count
        guard bytes.count > 32, Array(bytes.prefix(6)) == [0x1B, 0x4C, 0x75, 0x61, 0x54, 0] else {
            throw Malformed()
        }
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

    private mutating func collect(
        _ code: [UInt32], _ constants: [String?], _ lines: [Int], _ names: [String?]
    ) {
        func constant(_ index: Int) -> String? { index < constants.count ? constants[index] : nil }
        func isEnvironment(_ upvalue: Int) -> Bool { upvalue < names.count && names[upvalue] == "_ENV" }
        var far: [FarKey] = []
        for pc in code.indices {
            let instruction = Instruction(word: code[pc])
            switch instruction.operation {
            case .getTabUp where isEnvironment(instruction.b):
                note(constant(instruction.c), lines, pc, isAssignment: false)
            case .setTabUp where isEnvironment(instruction.a):
                note(constant(instruction.b), lines, pc, isAssignment: true)
            case .getUpval where isEnvironment(instruction.b):
                guard let index = Instruction.loadedConstant(code, at: pc + 1, register: instruction.a + 1),
                    let name = constant(index)
                else { continue }
                far.append(FarKey(table: instruction.a, name: name))
            case .getTable:
                guard let key = far.remove(table: instruction.b, register: instruction.c) else { continue }
                note(key.name, lines, pc, isAssignment: false)
            case .setTable:
                guard let key = far.remove(table: instruction.a, register: instruction.b) else { continue }
                note(key.name, lines, pc, isAssignment: true)
            default: continue
            }
        }
    }

    private mutating func note(_ name: String?, _ lines: [Int], _ pc: Int, isAssignment: Bool) {
        guard let name else { return }
        let line = pc < lines.count ? lines[pc] : 0
        uses.append(LuaChunk.GlobalUse(name: name, line: line, isAssignment: isAssignment))
    }
}

/// A name that does not fit into an instruction (the function has more than 256 constants, or the name more than 40
/// bytes): `_ENV` and the name are loaded into two registers next to each other, and used from there later.
private struct FarKey {
    var table: Int
    var name: String
}

extension [FarKey] {
    fileprivate mutating func remove(table: Int, register: Int) -> FarKey? {
        guard register == table + 1, let index = lastIndex(where: { $0.table == table }) else { return nil }
        return remove(at: index)
    }
}

/// The parts of an instruction, from `lopcodes.h`.
private struct Instruction {
    enum Operation: UInt32 {
        case loadK = 3, loadKX = 4, getUpval = 9, getTabUp = 11, getTable = 12, setTabUp = 15, setTable = 16
    }

    var word: UInt32
    var operation: Operation? { Operation(rawValue: word & 0x7F) }
    var a: Int { Int(word >> 7 & 0xFF) }
    var b: Int { Int(word >> 16 & 0xFF) }
    var c: Int { Int(word >> 24) }

    /// The number of the constant that the instruction there loads into `register`.
    static func loadedConstant(_ code: [UInt32], at pc: Int, register: Int) -> Int? {
        guard pc < code.count else { return nil }
        let instruction = Instruction(word: code[pc])
        guard instruction.a == register else { return nil }
        if instruction.operation == .loadK { return Int(instruction.word >> 15) }
        guard instruction.operation == .loadKX, pc + 1 < code.count else { return nil }
        return Int(code[pc + 1] >> 7)
    }
}
