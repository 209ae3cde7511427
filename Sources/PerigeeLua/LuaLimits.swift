import CLuaShim

/// What one Lua state may use.
public struct LuaLimits: Hashable, Sendable {
    /// Memory, in bytes; the allocator refuses beyond it, but for an eighth more while Lua moves a stack.
    public var memoryBytes = 64 * 1_048_576
    /// A slice of CPU time in milliseconds, after which the state lets others run (``LuaStep/preempted``).
    public var sliceMilliseconds = 10
    /// CPU time between two suspensions, in milliseconds; beyond it the state is ended.
    public var cpuMilliseconds = 1000
    /// The size of one value that leaves the state, in bytes of JSON.
    public var valueBytes = 1_048_576
    /// How deeply such a value may nest.
    public var valueDepth = 64

    public init() {}

    func shim(seed: UInt64, hashSeed: UInt32 = 0, isBlank: Bool = false) -> pg_limits {
        pg_limits(
            memory_bytes: memoryBytes, slice_nanoseconds: UInt64(sliceMilliseconds) * 1_000_000,
            cpu_nanoseconds: UInt64(cpuMilliseconds) * 1_000_000, value_bytes: valueBytes,
            value_depth: Int32(valueDepth), seed: seed, hash_seed: hashSeed, blank: isBlank ? 1 : 0)
    }
}

/// Which limit a state ran into.
public enum LuaLimitKind: Hashable, Sendable {
    case memory, cpu
}

/// A limit that ended a state, and where the script was.
public struct LuaLimit: Hashable, Sendable {
    public var kind: LuaLimitKind
    /// The chunk, empty if it is not known.
    public var script: String
    /// From 1; 0 if it is not known.
    public var line: Int
    /// The function of Lua's library that used it up, such as `rep`; empty if that was the script itself.
    public var function: String
}

/// An error that nothing in the script caught.
public struct LuaFailure: Error, Hashable, Sendable {
    /// Its text, at most 8 KiB.
    public var message: String
    /// The error as JSON, if it was a table of data.
    public var value: Bytes?
    /// The innermost chunk that a person wrote; empty if it is not known.
    public var script: String
    /// From 1; 0 if it is not known.
    public var line: Int
    /// `lead_routing.lua:27 in function 'assign'`, innermost first, at most 20.
    public var traceback: [String]

    public init(
        message: String, value: Bytes? = nil, script: String = "", line: Int = 0, traceback: [String] = []
    ) {
        self.message = message
        self.value = value
        self.script = script
        self.line = line
        self.traceback = traceback
    }
}

/// How a slice of a state's work ended.
public enum LuaStep: Sendable {
    /// A function of the host suspended the script; the next ``LuaState/advance(_:)`` brings its answer.
    case suspended
    /// The time slice is over; the next ``LuaState/advance(_:)`` (with `nil`) goes on.
    case preempted
    /// It is finished: the first value that was returned, as JSON; `nil` for none.
    case returned(Bytes?)
    /// An error that nothing caught.
    case failed(LuaFailure)
    /// A limit ended it, whatever the script did about that.
    ///
    /// The state can only be dropped.
    case ended(LuaLimit)
}
