import PerigeeLua
import Testing

struct SandboxTests {
    @Test(arguments: [
        "io", "os", "debug", "package", "collectgarbage", "dofile", "loadfile", "loadstring", "print", "warn",
        "string.dump", "getmetatable('').__index", "host", "arg",
    ])
    func `scripts do not have this`(name: String) throws {
        #expect(
            try run("local ok, v = pcall(function() return \(name) end) return not ok or v == nil").result()
                == "true")
    }

    @Test(arguments: [
        "assert", "error", "ipairs", "load", "math.floor", "next", "pairs", "pcall", "rawequal", "rawget",
        "rawlen",
        "rawset", "require", "select", "setmetatable", "getmetatable", "string.format", "table.concat",
        "table.sort",
        "tonumber", "tostring", "type", "utf8.char", "xpcall", "coroutine.wrap", "coroutine.close",
    ])
    func `scripts have this`(name: String) throws {
        #expect(try run("return type(\(name))").result() == #""function""#)
    }

    @Test func `a script's globals are its own`() throws {
        let body = "x = 1 return { _G.x, _G == _ENV, rawget(_G, 'host') == nil, load('return _G')() == _G }"
        #expect(try run(body).result() == "[1,true,true,true]")
    }

    @Test(
        arguments: [
            ("return load('return 1 + 1')()", "2"),
            ("return load('return ...', 'c')(7)", "7"),
            ("local n = 0 return load(function() n = n + 1 return ({ 'return ', '4', '2' })[n] end)()", "42"),
            (
                """
                local n = 0 return load(function() n = n + 1 return n == 1 and 'return 1' or n == 2 and ''
                or ' syntax' end)()
                """,
                "1"
            ),
            ("return load('x = 5 return y', 'c', 't', { y = 3 })()", "3"),
            ("local e = {} load('x = 5', 'c', 't', e)() return { e.x, x == nil }", "[5,true]"),
            ("x = 6 return load('return x')()", "6"),
            ("return load('return x', 'c', 't', nil) and 1", "1"),
            (
                "return select(2, load('return +', 'piece'))",
                #""[string \"piece\"]:1: unexpected symbol near '+'""#
            ),
            ("return select(2, load('return +', '=piece'))", #""piece:1: unexpected symbol near '+'""#),
            (
                "return select(2, load('return +', '=stdlib/flow'))",
                #""(load):1: unexpected symbol near '+'""#
            ),
            (#"return select(2, load('\27Lua'))"#, #""attempt to load a binary chunk (mode is 't')""#),
            (
                #"return select(2, load('\27Lua', 'c', 'b'))"#,
                #""attempt to load a binary chunk (mode is 't')""#
            ),
            (
                #"local n = 0 return select(2, load(function() n = n + 1 return ({ '\27', 'Lua' })[n] end))"#,
                #""attempt to load a binary chunk (mode is 't')""#
            ),
            (
                "return select(2, load(function() return 5 end))",
                #""reader function must return a string""#
            ),
            (
                "return select(2, load(('x'):rep((1 << 20) + 1)))",
                #""load: the text is longer than 1 MiB""#
            ),
            (
                "return select(2, load(function() return ('x'):rep(1000) end))",
                #""load: the text is longer than 1 MiB""#
            ),
        ])
    func `load takes text, a reader and an environment, and never bytecode`(body: String, result: String)
        throws
    {
        #expect(try run(body).result() == result)
    }

    @Test(arguments: [
        ("setmetatable({}, { __gc = function() end })", "`__gc` does not exist in workflow scripts"),
        ("setmetatable({}, { __mode = 'k' })", "`__mode` does not exist in workflow scripts"),
        ("setmetatable(setmetatable({}, { __metatable = 1 }), {})", "cannot change a protected metatable"),
        ("getmetatable('').__index = nil", "attempt to index a string value"),
        ("setmetatable({}, 5)", "bad argument #2 to 'setmetatable' (nil or table expected, got number)"),
    ])
    func `metatables can't be misused`(body: String, message: String) throws {
        #expect(try run(body).failure().message.contains(message))
    }

    @Test func `the same seed gives the same random numbers`() throws {
        let body = "local t = {} for i = 1, 20 do t[i] = math.random(1 << 40) end return t"
        func numbers(_ seed: UInt64) throws -> String { try ScriptRunner(body, seed: seed).finish().result() }
        #expect(try numbers(1) == numbers(1))
        #expect(try numbers(.max) == numbers(.max))
        #expect(try numbers(1) != numbers(2))
        #expect(try numbers(1) != numbers(1 << 32 | 1))
    }

    @Test func `null is one value with a name`() throws {
        let body =
            "return { tostring(null), null == decode('[null]')[1], type(null), pcall(function() return null.x end) }"
        #expect(try run(body).result().hasPrefix(#"["null",true,"userdata",false"#))
    }
}
