import CLuaShim

/// Something that is known to be wrong with a Lua.
public struct LuaDefect: Hashable, Sendable {
    /// What can happen, in one sentence.
    public let sentence: String
    /// Whether a script can bring the process down by it, or worse.
    public let isUnsafe: Bool
}

/// The Lua that this program is linked with.
public struct LuaRelease: Hashable, Sendable {
    /// `5.4.9`.
    public let version: String
    /// Whether it is the one that dev/lua builds: sound, and the same in every process.
    public let isHardened: Bool
    /// What is known to be wrong with it, the worst first.
    public let defects: [LuaDefect]

    /// The Lua of this process, looked at once.
    public static let linked = LuaRelease(
        ident: String(cString: pg_lua_ident()), isHardened: pg_lua_is_hardened() != 0,
        isSound: { $0.withCString { pg_probe($0) } == PG_PROBE_SOUND })

    /// - Parameters:
    ///   - ident: what Lua says of itself: `$LuaVersion: Lua 5.4.9  Copyright …`.
    ///   - isSound: runs a program that tells by a truth value whether Lua does right.
    init(ident: String, isHardened: Bool, isSound: (String) -> Bool) {
        let numbers = ident.firstMatch(of: /Lua ([0-9]+)\.([0-9]+)\.([0-9]+)/)
        let release = numbers.flatMap { Int($0.3) } ?? 0
        version = numbers.map { "\($0.1).\($0.2).\($0.3)" } ?? "of an unknown release"
        self.isHardened = isHardened
        let crashes = LuaRelease.crashes.filter { $0.releases.contains(release) }
        let mistakes = LuaRelease.mistakes.filter { !isSound($0.program) }
        defects =
            crashes.map { LuaDefect(sentence: $0.sentence, isUnsafe: true) }
            + mistakes.map { LuaDefect(sentence: $0.sentence, isUnsafe: false) }
            + (isHardened ? [] : [LuaDefect(sentence: LuaRelease.differs, isUnsafe: false)])
    }

    /// `Lua 5.4.9, hardened`, or `Lua 5.4.4 of the system`.
    public var name: String { "Lua \(version)\(isHardened ? ", hardened" : " of the system")" }

    /// What to say at the start about a Lua with defects; `nil` for a sound one.
    public var warning: String? {
        guard !defects.isEmpty else { return nil }
        let count = defects.count == 1 ? "a known defect" : "\(defects.count) known defects"
        let trust = defects.contains(where: \.isUnsafe) ? " Run only scripts that you trust on it." : ""
        return "\(name) has \(count).\(trust) `perigee doctor` tells more."
    }

    // MARK: What is known

    /// Would end this process if they were tried; by the third number of the release.
    private static let crashes: [(releases: Range<Int>, sentence: String)] = [
        (4..<5, "Debian's build of it may write to freed memory where `..` calls a metamethod."),
        (
            0..<9,
            "Assigning to a table whose metatable is its own `__newindex` can free memory that is in use."
        ),
        (0..<8, "At the memory limit, assigning to a table can free memory twice."),
        (0..<7, "A long chain of fields, named in an error, can overflow the stack of the process."),
        (0..<5, "Coroutines that close each other can overflow the stack of the process."),
    ]

    /// Tried by a program that returns whether the result is right.
    private static let mistakes: [(sentence: String, program: String)] = [
        (
            "`break` can skip the `__close` of a loop's closing value.",
            """
            local closed = false
            local mark = setmetatable({}, { __close = function() closed = true end })
            for key in next, { 1 }, nil, mark do
              local function keep() return key end
              break
            end
            return closed
            """
        ),
        (
            "Bitwise operators compute wrongly in functions with more than 255 constants.",
            """
            local parts = {}
            for i = 1, 257 do parts[i] = i .. ".1" end
            local a, b = load("local x = {" .. table.concat(parts, ",") .. "} return 1 ~ (2 or 3), 1 | (2 or 3)")()
            return a == 3 and b == 3
            """
        ),
        (
            "`utf8.codes` accepts text that is no UTF-8.",
            #"return not pcall(function() for _ in utf8.codes("a\x80\x80") do end end)"#
        ),
        (
            "A comparison as the key of a variable of an outer function gives an error.",
            """
            local outer = { [true] = 1 }
            local ok, value = pcall(function(a, b) return outer[a < b] end, 1, 2)
            return ok and value == 1
            """
        ),
        (
            "Closing a coroutine can call a message handler that is no longer in force.",
            """
            local called = false
            local co = coroutine.create(function()
              xpcall(function()
                local mark <close> = setmetatable({}, { __close = function() error("closing") end })
                coroutine.yield()
              end, function() called = true end)
            end)
            coroutine.resume(co)
            coroutine.close(co)
            return not called
            """
        ),
    ]

    private static let differs =
        "Two processes can keep a table in another order (`next`, `#` of a list with holes): a replay stops then."
}
