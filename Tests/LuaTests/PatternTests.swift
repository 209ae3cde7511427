import PerigeeLua
import Testing

/// The four functions on patterns, which are our own.
///
/// What they return is compared with Lua's by dev/fuzz.
struct PatternTests {
    /// Runs an expression and gives its results as a JSON list.
    private func values(_ expression: String) throws -> String {
        let list =
            "local t = table.pack(\(expression)) for i = 1, t.n do if t[i] == nil then t[i] = null end end"
        return try run("\(list) t.n = nil return array(t)").result()
    }

    @Test(arguments: [
        ("('hello world'):find('o w')", "[5,7]"),
        ("('hello'):find('l', 1, true)", "[3,3]"),
        ("('a.b'):find('.', 2, true)", "[2,2]"),
        ("('a.b'):find('.', 3, true)", "[null]"),
        ("('hello'):find('')", "[1,0]"),
        ("('hello'):find('', 6)", "[6,5]"),
        ("('hello'):find('', 7)", "[null]"),
        ("('hello'):find('l+', -2)", "[4,4]"),
        ("('hello'):find('l+', -20)", "[3,4]"),
        ("('hello'):find('(l)(l)()')", #"[3,4,"l","l",5]"#),
        ("('a\\0b'):find('%z')", "[2,2]"),
        ("('a\\0b'):find('\\0b', 1, true)", "[2,3]"),
        ("('aaab'):find('aab')", "[2,4]"),
        ("string.find(12345, 34)", "[3,4]"),
    ])
    func `find tells where`(expression: String, expected: String) throws {
        #expect(try values(expression) == expected)
    }

    @Test(arguments: [
        ("('name = perigee'):match('^(%w+)%s*=%s*(%w*)$')", #"["name","perigee"]"#),
        ("('  trim me  '):match('^%s*(.-)%s*$')", #"["trim me"]"#),
        ("('2026-11-21'):match('(%d+)-(%d+)-(%d+)')", #"["2026","11","21"]"#),
        ("('f(a(b)c)d'):match('%b()')", #"["(a(b)c)"]"#),
        ("('\"it\" and \"that\"'):match([[([\"'])(.-)%1]])", #"["\"","it"]"#),
        ("('THE (quick) fox'):match('%f[%a]%l+%f[%A]')", #"["quick"]"#),
        ("('hello'):match('()ll()')", "[3,5]"),
        ("('[[x]]'):match('[]]+')", #"["]]"]"#),
        ("('a-b'):match('[a-]+')", #"["a-"]"#),
        ("('a^b'):match('[b^]')", #"["^"]"#),
        ("('x$y'):match('x$y')", #"["x$y"]"#),
        ("('aXb'):match('[%u]')", #"["X"]"#),
        ("('aXb'):match('[^%l]')", #"["X"]"#),
        ("string.match('abc', '^b')", "[null]"),
        ("string.match('abc', '^b', 2)", #"["b"]"#),
        ("('colour'):match('colou?r')", #"["colour"]"#),
        ("('äöü'):match('%a')", "[null]"),
        ("('x'):match('x', 3)", "[null]"),
    ])
    func `match gives captures`(expression: String, expected: String) throws {
        #expect(try values(expression) == expected)
    }

    @Test(arguments: [
        ("('abc'):gsub('', '-')", #"["-a-b-c-",4]"#),
        ("('abc def'):gsub('%w*', 'x')", #"["x x",2]"#),
        ("('hello world'):gsub('o', '0', 1)", #"["hell0 world",1]"#),
        ("('hello'):gsub('l', 'L', 0)", #"["hello",0]"#),
        ("('hello'):gsub('^h', 'j')", #"["jello",1]"#),
        ("('aaa'):gsub('^a', 'b')", #"["baa",1]"#),
        ("('k=v'):gsub('(%w)=(%w)', '%2=%1 %0 %%')", #"["v=k k=v %",1]"#),
        ("('ab'):gsub('()', '%1')", #"["1a2b3",3]"#),
        ("('1 2'):gsub('%d', 7)", #"["7 7",2]"#),
        ("('1 2'):gsub('%d', function(d) return d * 2 end)", #"["2 4",2]"#),
        ("('a b'):gsub('%a', function(c) if c == 'a' then return false end end)", #"["a b",2]"#),
        ("('$a $b $c'):gsub('%$(%w)', { a = 'x', b = false })", #"["x $b $c",3]"#),
        ("('a b'):gsub('%a', setmetatable({}, { __index = { a = 'deep' } }))", #"["deep b",2]"#),
        (
            "('a b'):gsub('%a', setmetatable({ a = 1 }, { __index = function(_, k) return k:upper() end }))",
            #"["1 B",2]"#
        ),
        ("('x'):rep(3):gsub('x', ('y'):rep(1000)) == ('y'):rep(3000)", "[true]"),
    ])
    func `gsub replaces`(expression: String, expected: String) throws {
        #expect(try values(expression) == expected)
    }

    @Test(arguments: [
        ("'one two  three', '%a+'", #"["one","two","three"]"#),
        ("'a=1, b=2', '(%w)=(%w)'", #"["a","b"]"#),
        ("'a,,b', '[^,]*'", #"["a","","b"]"#),
        ("'abc', ''", #"["","","",""]"#),
        ("'^a^a', '^a'", #"["^a","^a"]"#),
        ("'abc', '%a', 2", #"["b","c"]"#),
        ("'abc', '%a', -1", #"["c"]"#),
        ("'abc', '%a', 9", "[]"),
    ])
    func `gmatch goes over all matches`(arguments: String, expected: String) throws {
        let body =
            "local t = array {} for m in string.gmatch(\(arguments)) do t[#t + 1] = m end return t"
        #expect(try run(body).result() == expected)
    }

    @Test(arguments: [
        ("find", "'a', '%'", "malformed pattern (ends with '%')"),
        ("find", "'a', '[a'", "malformed pattern (missing ']')"),
        ("find", "'a', '[]'", "malformed pattern (missing ']')"),
        ("match", "'a', '%b'", "malformed pattern (missing arguments to '%b')"),
        ("match", "'a', '%f'", "missing '[' after '%f' in pattern"),
        ("match", "'a', '(a'", "unfinished capture"),
        ("match", "'a', 'a)'", "invalid pattern capture"),
        ("match", "'a', '%1'", "invalid capture index %1"),
        ("match", "('x'):rep(40), ('(x)'):rep(33)", "too many captures"),
        ("find", "('x'):rep(300), ('x?'):rep(300) .. 'y'", "pattern too complex"),
        ("gsub", "'x', 'x', '%2'", "invalid capture index %2"),
        ("gsub", "'x', 'x', '%a'", "invalid use of '%' in replacement string"),
        ("gsub", "'x', 'x', function() return {} end", "invalid replacement value (a table)"),
        ("gsub", "'x', 'x', true", "bad argument #3 to 'f' (string/function/table expected, got boolean)"),
        ("gsub", "'x', 'x', setmetatable({}, { __index = 5 })", "attempt to index a number value"),
        ("find", "nil, 'x'", "bad argument #1 to 'f' (string expected, got nil)"),
        ("gmatch", "'x'", "bad argument #2 to 'f' (string expected, got no value)"),
        ("find", "'x', 'x', 1.5", "bad argument #3 to 'f' (number has no integer representation)"),
    ])
    func `a mistake is told in Lua's words`(function: String, arguments: String, message: String) throws {
        let body =
            """
            local f = string.\(function)
            local ok, e = pcall(function() local r = f(\(arguments)) return r end)
            return { ok, (e:gsub('^test.lua:2: ', '')) }
            """
        #expect(try run(body).result() == #"[false,"\#(message)"]"#)
    }

    @Test func `what stands behind the place where a pattern has failed is not looked at`() throws {
        #expect(try values("('a'):find('b[')") == "[null]")
    }

    @Test(arguments: [
        "string.find(('a'):rep(200), ('a-'):rep(40) .. 'b')",
        "string.match(('a'):rep(200), ('a*'):rep(40) .. 'b')",
        "for _ in string.gmatch(('a'):rep(200), ('a-'):rep(40) .. 'b') do end",
        "string.gsub(('a'):rep(200), ('a-'):rep(40) .. 'b', '')",
        "string.gsub(('a'):rep(200), ('a-'):rep(40) .. 'b', function() end)",
        "string.find(('a'):rep(100000), '[' .. ('b'):rep(100000) .. ']')",
        "string.find(('a'):rep(20000) .. 'b', '(.*)%1%1%1c')",
        "string.find(('a'):rep(4000000), ('a'):rep(2000000) .. 'b', 1, true)",
        "string.find(('('):rep(400000), '%b()')",
    ])
    func `a pattern without end is ended by the CPU limit, whatever would catch it`(call: String) throws {
        var limits = LuaLimits()
        limits.cpuMilliseconds = 60_000
        let step = try run("while true do pcall(function() \(call) end) end", limits: limits)
        #expect(try step.limit().kind == .cpu)
    }

    @Test func `much work that leads somewhere is no work without end`() throws {
        let body =
            """
            local text = ('lorem ipsum, dolor sit amet; '):rep(20000)
            local words = 0
            for _ in text:gmatch('[%a_][%w_]*') do words = words + 1 end
            local spaced, count = text:gsub('[,;]%s*', function(mark) return mark .. '\\n' end)
            return { words, count, #spaced, (text:find('nowhere', 1, true)) == nil, text:match('.*;()') }
            """
        #expect(try run(body).result() == "[100000,40000,620000,true,580000]")
    }

    @Test(arguments: [
        ("in a callback", "return (('a-b'):gsub('%a', function(c) return await(c) end))"),
        ("in a callback in pcall", "local _, v = pcall(string.gsub, 'a-b', '%a', await) return v"),
        (
            "in a callback in a coroutine",
            "return coroutine.wrap(function() return (('a-b'):gsub('%a', await)) end)()"
        ),
        (
            "in a callback of a coroutine in a callback",
            """
            return (('a-b'):gsub('a.b', function(s)
              return coroutine.wrap(function() local _, v = pcall(s.gsub, s, '%a', await) return v end)()
            end))
            """
        ),
        (
            "in __index of the table",
            "return (('a-b'):gsub('%a', setmetatable({}, { __index = function(_, k) return await(k) end })))"
        ),
        (
            "in __index behind a table",
            """
            local behind = setmetatable({}, { __index = function(_, k) return await(k) end })
            return (('a-b'):gsub('%a', setmetatable({}, { __index = behind })))
            """
        ),
    ])
    func `a callback of gsub may wait`(place: String, body: String) throws {
        let runner = try ScriptRunner(body)
        #expect(runner.advance().isSuspended)
        #expect(runner.advance(json: #""first""#).isSuspended)
        #expect(try runner.advance(json: "2").result() == #""first-2""#)
        #expect(runner.host.calls.map(\.function) == ["await_step", "await_step"])
    }

    @Test func `ten thousand waits in one gsub keep its place and its output`() throws {
        let runner = try ScriptRunner(
            """
            local lookup = setmetatable({}, { __index = function(_, k) return await(k) end })
            local text = ('x,'):rep(10000):gsub('x', lookup)
            return { #text, text:sub(1, 6), text:sub(-6) }
            """)
        let result = try runner.finish { .value(Array("\"\(String($0 % 10))\"".utf8)) }.result()
        #expect(result == #"[20000,"1,2,3,","8,9,0,"]"#)
    }

    @Test func `the error of a callback comes through, also after a wait`() throws {
        let body =
            """
            local ok, e = pcall(string.gsub, 'ab', '.', function(c) if c == 'b' then error({ code = c }) end end)
            local ok2, e2 = pcall(string.gsub, 'ab', '.', function(c) await(c) error('late', 0) end)
            return { ok, e.code, ok2, e2 }
            """
        #expect(try ScriptRunner(body).finish().result() == #"[false,"b",false,"late"]"#)
    }

    @Test func `a time slice may end in a callback of gsub`() throws {
        var limits = LuaLimits()
        limits.sliceMilliseconds = 2
        let runner = try ScriptRunner(
            """
            return (('abcd'):gsub('.', function(c) for i = 1, 20000000 do end return c:upper() end))
            """, limits: limits)
        var step = runner.state.advance(nil)
        var slices = 0
        while case .preempted = step {
            slices += 1
            step = runner.state.advance(nil)
        }
        #expect(try step.result() == #""ABCD""#)
        #expect(slices > 0)
    }
}
