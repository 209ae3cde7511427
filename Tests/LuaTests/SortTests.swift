import PerigeeLua
import Testing

struct SortTests {
    @Test(arguments: [
        ("{ 3, 1, 2 }", "1 2 3"), ("{ 'b', 'a', 'B', '', 'ab' }", " B a ab b"), ("{}", ""), ("{ 1 }", "1"),
        ("{ 2.5, -1, 2, 1e300, -1e300, 0.0 }", "-1e+300 -1 0.0 2 2.5 1e+300"),
        (
            "{ math.maxinteger, 2^53, (1 << 53) + 1 }",
            "9.007199254741e+15 9007199254740993 9223372036854775807"
        ),
        ("{ 1, 1.0, 0, 1 }", "0 1 1.0 1"),
    ])
    func `numbers and strings are sorted without a comparator`(list: String, sorted: String) throws {
        let body = "local t = \(list) table.sort(t) return table.concat(t, ' ')"
        #expect(try run(body).result() == "\"\(sorted)\"")
    }

    @Test(arguments: [2, 3, 10, 100, 1000])
    func `equal elements keep their order, and no comparison is wasted`(count: Int) throws {
        let body = """
            local t, calls = {}, 0
            for i = 1, \(count) do t[i] = { key = i * 7919 % 13, place = i } end
            table.sort(t, function(a, b) calls = calls + 1 return a.key < b.key end)
            for i = 2, #t do
              local a, b = t[i - 1], t[i]
              assert(a.key < b.key or a.key == b.key and a.place < b.place)
            end
            local ordered = 0
            table.sort(t, function(a, b) ordered = ordered + 1 return a.key < b.key end)
            assert(ordered < #t)
            return calls <= \(count) * math.log(\(count), 2) + \(count)
            """
        #expect(try run(body).result() == "true")
    }

    @Test func `a verb in a comparator suspends and goes on`() throws {
        let runner = try ScriptRunner(
            """
            local t = { 3, 1, 2 }
            table.sort(t, function(a, b) return await(a, b) end)
            return t
            """)
        var step = runner.advance()
        while case .suspended = step {
            let asked = try #require(runner.host.calls.last?.arguments)
            let numbers = asked.filter(\.isNumber).compactMap(\.wholeNumberValue)
            try #require(numbers.count == 2)
            step = runner.advance(json: numbers[0] < numbers[1] ? "true" : "false")
        }
        #expect(try step.result() == "[1,2,3]")
        #expect(runner.host.calls.count == 3)
    }

    @Test(arguments: [
        "local t = { 2, 1 } table.sort(t, function(a, b) await('x') return a < b end) return t",
        """
        local m = { __lt = function(a, b) await('lt') return a.v < b.v end }
        local t = { setmetatable({ v = 2 }, m), setmetatable({ v = 1 }, m) } table.sort(t)
        return { t[1].v, t[2].v }
        """,
    ])
    func `a comparator may wait in a coroutine, too`(body: String) throws {
        let runner = try ScriptRunner(
            "return coroutine.wrap(function() \(body) end)()")
        #expect(try runner.finish().result() == "[1,2]")
        #expect(runner.host.calls.count == 1)
    }

    @Test func `a comparator can't yield to the script's own resume, as in stock Lua`() throws {
        let body = "local co = coroutine.wrap(function() table.sort({ 2, 1 }, coroutine.yield) end) co()"
        #expect(try run(body).failure().message.hasSuffix("attempt to yield across a C-call boundary"))
    }

    @Test func `a long sort is sliced like any other code`() throws {
        var limits = LuaLimits()
        limits.sliceMilliseconds = 1
        limits.cpuMilliseconds = 60_000
        let runner = try ScriptRunner(
            """
            local t = {} for i = 1, 3000 do t[i] = i * 7919 % 3001 end
            table.sort(t, function(a, b) for i = 1, 1000 do end return a < b end)
            for i = 2, #t do assert(t[i - 1] < t[i]) end
            return #t
            """, limits: limits)
        var step = runner.state.advance(nil)
        var slices = 0
        while case .preempted = step {
            slices += 1
            step = runner.state.advance(nil)
        }
        #expect(try step.result() == "3000")
        #expect(slices > 0)
    }

    @Test(arguments: ["true", "math.random(2) == 1", "nil", "a ~= b"])
    func `an inconsistent comparator gives some order of the same elements`(answer: String) throws {
        let body = """
            local t = {} for i = 1, 300 do t[i] = i end
            table.sort(t, function(a, b) return \(answer) end)
            table.sort(t) for i = 1, 300 do assert(t[i] == i) end
            return #t
            """
        #expect(try run(body).result() == "300")
    }

    @Test func `when the comparator fails, the table is as it was`() throws {
        let body = """
            local t, n = { 3, 1, 2 }, 0
            local ok = pcall(table.sort, t, function(a, b) n = n + 1 if n == 2 then error('no') end return a < b end)
            return { ok, t }
            """
        #expect(try run(body).result() == "[false,[3,1,2]]")
    }

    @Test func `a proxy is sorted through its metamethods`() throws {
        let body = """
            local store = { 3, 1, 2 }
            local proxy = setmetatable({}, { __index = store, __newindex = store, __len = function() return 3 end })
            table.sort(proxy, function(a, b) return a > b end)
            return { store, rawlen(proxy) }
            """
        #expect(try run(body).result() == "[[3,2,1],0]")
    }

    @Test(arguments: [
        ("table.sort({ 1, 2 }, 5)", "bad argument #2 to 'sort' (function expected, got number)"),
        ("table.sort(5)", "bad argument #1 to 'sort' (table expected, got number)"),
        ("table.sort()", "bad argument #1 to 'sort' (table expected, got no value)"),
        ("table.sort({ {}, {} })", "attempt to compare two table values"),
        ("table.sort({ 1, nil, 3 })", "attempt to compare nil with number"),
        ("table.sort({ 1, 'x' })", "attempt to compare string with number"),
        (
            "table.sort(setmetatable({}, { __len = function() return math.maxinteger end }))",
            "bad argument #1 to 'sort' (array too big)"
        ),
    ])
    func `what can't be sorted is an error as in stock Lua`(body: String, message: String) throws {
        #expect(try run(body).failure().message.hasSuffix(message))
    }
}
