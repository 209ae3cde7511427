import CLuaShim

/// One run's Lua: its own memory, its own CPU budget, its own faults.
///
/// It belongs to one task at a time and may move between threads from one call to the next.
public final class LuaState {
    let state: OpaquePointer
    private let host: any LuaHost
    private let bridge: HostBridge

    /// Makes a state with the sandbox and no script.
    ///
    /// - Parameters:
    ///   - limits: what it may use.
    ///   - functions: the names of the host's functions, as the stdlib sees them in `host`.
    ///   - host: answers them; kept alive by the state.
    ///   - seed: of `math.random`.
    ///   - hashSeed: of the places of strings in tables. Whoever knows it can send data that takes long to be read.
    ///   - isBlank: whether its memory is zero before, as ``LuaImage`` needs it.
    /// - Throws: ``LuaFailure`` if the memory limit is too small even for that.
    public init(
        limits: LuaLimits, functions: [String], host: any LuaHost, seed: UInt64 = 0,
        hashSeed: UInt32 = 0, isBlank: Bool = false
    ) throws(LuaFailure) {
        self.host = host
        bridge = HostBridge(host)
        let limits = limits.shim(seed: seed, hashSeed: hashSeed, isBlank: isBlank)
        let callbacks = bridge.callbacks
        let made = withCStrings(functions) { names in
            pg_create(limits, callbacks, names.baseAddress, Int32(names.count))
        }
        guard let made else { throw LuaState.noMemory }
        state = made
        bridge.state = made
    }

    /// Makes a copy of a state.
    ///
    /// - Parameters:
    ///   - image: of the state; its memory limit has to be the one in `limits`.
    ///   - limits: what it may use.
    ///   - host: answers its calls from now on; kept alive by the state.
    ///   - seed: of `math.random`.
    ///   - isBlank: whether its memory is zero before, as ``LuaImage`` needs it.
    /// - Throws: ``LuaFailure`` if there is no memory for it.
    public init(
        copying image: LuaImage, limits: LuaLimits, host: any LuaHost, seed: UInt64, isBlank: Bool = false
    ) throws(LuaFailure) {
        self.host = host
        bridge = HostBridge(host)
        let made = pg_create_from(image.image, limits.shim(seed: seed, isBlank: isBlank), bridge.callbacks)
        guard let made else { throw LuaState.noMemory }
        state = made
        bridge.state = made
    }

    private static let noMemory = LuaFailure(message: "the memory limit is too small for a Lua state")

    deinit {
        pg_close(state)
    }

    /// Gives the memory that ended states have left back to the system, but for what a few need; at most every two
    /// seconds.
    public static func giveBackMemory() {
        pg_give_back()
    }

    /// Memory in use, in bytes.
    public var memoryBytes: Int { pg_memory(state) }

    /// Runs a chunk of the stdlib with `host` and the scripts' environment as its arguments.
    ///
    /// - Throws: ``LuaFailure`` if it raises.
    public func runPrelude(_ chunk: LuaChunk) throws(LuaFailure) {
        let result = chunk.bytecode.withUnsafeBytes {
            pg_prelude(state, chars($0), $0.count, "=" + chunk.name)
        }
        guard result == PG_RETURNED else { throw failure(result) }
    }

    /// Runs a script's main chunk and keeps the table that it returns as the definition.
    public func evaluate(_ chunk: LuaChunk) -> LuaStep {
        let result = chunk.bytecode.withUnsafeBytes {
            pg_prepare_script(state, chars($0), $0.count, "=" + chunk.name)
        }
        return result == PG_RETURNED ? advance(nil) : step(result)
    }

    /// The kept definition as JSON; functions stand there as `true`.
    ///
    /// - Throws: ``LuaFailure`` if it holds what JSON can't.
    public func definition() throws(LuaFailure) -> Bytes {
        let result = pg_definition(state)
        guard result == PG_RETURNED, let value = bytes(pg_value(state)) else { throw failure(result) }
        return value
    }

    /// Gets a function of the definition ready; ``advance(_:)`` with `nil` starts it.
    ///
    /// - Parameters:
    ///   - field: the function's name in the definition.
    ///   - argument: its one argument, as JSON.
    /// - Throws: ``LuaFailure`` if there is no such function. A limit that the argument runs into is told by the next
    ///   ``advance(_:)``.
    public func begin(_ field: String, argument: Bytes) throws(LuaFailure) {
        let result = argument.withUnsafeBytes { pg_prepare_function(state, field, chars($0), $0.count) }
        if result == PG_FAILED { throw failure(result) }
    }

    /// Starts, or goes on.
    ///
    /// - Parameters:
    ///   - reply: what a suspended call gets; `nil` at the start and after ``LuaStep/preempted``.
    ///   - branch: 0 for the function that was begun, otherwise one that the script began by `host.fork`, whose result
    ///     is not kept. After ``LuaStep/preempted`` the same branch has to go on first.
    public func advance(_ reply: LuaReply?, branch: Int = 0) -> LuaStep {
        let (kind, content) = (reply ?? .nothing).shim
        return step(content.withUnsafeBytes { pg_advance(state, Int32(branch), kind, chars($0), $0.count) })
    }

    private func step(_ result: Int32) -> LuaStep {
        switch result {
        case Int32(PG_SUSPENDED): return .suspended
        case Int32(PG_PREEMPTED): return .preempted
        case Int32(PG_RETURNED): return .returned(bytes(pg_value(state)))
        case Int32(PG_ENDED_CPU): return .ended(limit(.cpu))
        case Int32(PG_ENDED_MEMORY): return .ended(limit(.memory))
        default: return .failed(failure(result))
        }
    }

    /// What stands under a path of names in the frame that failed; `nil` if that is not known.
    ///
    /// It is read raw, without running code of the script, and only right after ``LuaStep/failed(_:)``.
    ///
    /// - Parameters:
    ///   - name: a local variable of that frame, one of a function around it, or a global.
    ///   - keys: from there on.
    public func lookUp(_ name: String, _ keys: [LuaKey]) -> LuaGlimpse? {
        let parts = [name] + keys.map(\.encoded)
        guard parts.allSatisfy({ !$0.utf8.contains(0) }) else { return nil }
        let path = parts.flatMap { Array($0.utf8) + [UInt8(0)] }
        let found = path.withUnsafeBytes { pg_look_up(state, chars($0), $0.count) }
        guard let answer = bytes(found) else { return nil }
        return LuaGlimpse(parsing: answer)
    }

    private func limit(_ kind: LuaLimitKind) -> LuaLimit {
        LuaLimit(
            kind: kind, script: String(cString: pg_script(state)), line: Int(pg_line(state)),
            function: String(cString: pg_what(state)))
    }

    private func failure(_ result: Int32) -> LuaFailure {
        guard result == PG_FAILED else {
            return LuaFailure(message: "the script ran into the limit of its memory or time")
        }
        return LuaFailure(
            message: text(pg_message(state)), value: bytes(pg_error_value(state)),
            script: String(cString: pg_script(state)), line: Int(pg_line(state)),
            traceback: text(pg_traceback(state)).split(separator: "\n").map(String.init))
    }
}

/// What the C callbacks find under their context.
private final class HostBridge {
    /// Held by the state, which outlives every callback.
    unowned let host: any LuaHost
    var state: OpaquePointer?

    init(_ host: any LuaHost) {
        self.host = host
    }

    var callbacks: pg_host {
        pg_host(context: Unmanaged.passUnretained(self).toOpaque(), call: hostCall, module: hostModule)
    }
}

private func hostCall(
    _ context: UnsafeMutableRawPointer?, _ function: Int32, _ arguments: UnsafePointer<CChar>?, _ length: Int,
    _ secrets: UnsafePointer<CChar>?, _ secretsLength: Int, _ script: UnsafePointer<CChar>?, _ line: Int32
) -> Int32 {
    guard let context else { return Int32(PG_NOTHING) }
    let bridge = Unmanaged<HostBridge>.fromOpaque(context).takeUnretainedValue()
    let result = bridge.host.call(
        function: Int(function), arguments: Bytes(UnsafeRawBufferPointer(start: arguments, count: length)),
        secrets: secretUses(UnsafeRawBufferPointer(start: secrets, count: secretsLength)),
        script: script.map { String(cString: $0) } ?? "", line: Int(line))
    guard case .reply(let reply) = result else { return Int32(PG_SUSPEND) }
    let (kind, content) = reply.shim
    content.withUnsafeBytes { pg_set_reply(bridge.state, chars($0), $0.count) }
    return kind
}

private func hostModule(_ context: UnsafeMutableRawPointer?, _ name: UnsafePointer<CChar>?, _ length: Int)
    -> Int32
{
    guard let context else { return 0 }
    let bridge = Unmanaged<HostBridge>.fromOpaque(context).takeUnretainedValue()
    let name = String(decoding: UnsafeRawBufferPointer(start: name, count: length), as: UTF8.self)
    guard let chunk = bridge.host.module(name) else { return 0 }
    chunk.bytecode.withUnsafeBytes { pg_set_chunk(bridge.state, chars($0), $0.count, chunk.name) }
    return 1
}

/// In the order of their places, as a table's own order is by chance.
private func secretUses(_ bytes: UnsafeRawBufferPointer) -> [SecretUse] {
    guard !bytes.isEmpty else { return [] }
    let parts = bytes.split(separator: 0, omittingEmptySubsequences: false).map {
        String(decoding: $0, as: UTF8.self)
    }
    return stride(from: 0, to: parts.count - 1, by: 2).map {
        SecretUse(pointer: parts[$0], name: parts[$0 + 1])
    }
    .sorted { $0.pointer < $1.pointer }
}

extension LuaReply {
    fileprivate var shim: (kind: Int32, content: Bytes) {
        switch self {
        case .value(let bytes): (Int32(PG_VALUE), bytes)
        case .nothing: (Int32(PG_NOTHING), [])
        case .failure(let bytes): (Int32(PG_FAILURE), bytes)
        case .cancellation(let bytes): (Int32(PG_CANCELLATION), bytes)
        }
    }
}

private func chars(_ bytes: UnsafeRawBufferPointer) -> UnsafePointer<CChar>? {
    bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
}

private func bytes(_ text: pg_text) -> Bytes? {
    text.bytes.map { Bytes(UnsafeRawBufferPointer(start: $0, count: text.length)) }
}

private func text(_ text: pg_text) -> String {
    String(decoding: bytes(text) ?? [], as: UTF8.self)
}

/// Lends an array of C strings.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafeMutableBufferPointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
    let joined = strings.flatMap { Array($0.utf8CString) }
    return joined.withUnsafeBufferPointer { characters in
        var pointers: [UnsafePointer<CChar>?] = []
        var offset = 0
        for string in strings {
            pointers.append(characters.baseAddress.map { $0 + offset })
            offset += string.utf8.count + 1
        }
        return pointers.withUnsafeMutableBufferPointer { body($0) }
    }
}
