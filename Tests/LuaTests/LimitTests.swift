import PerigeeLua
import Testing

struct LimitTests {
    private static func quick() -> LuaLimits {
        var limits = LuaLimits()
        limits.cpuMilliseconds = 60
        limits.sliceMilliseconds = 5
        limits.memoryBytes = 8 << 20
        return limits
    }

    @Test(arguments: [
        ("a loop", "while true do end"),
        ("a loop of calls", "local function f() end while true do f() end"),
        ("a tail call", "local function f() return f() end f()"),
        ("goto", "::top:: goto top"),
        ("pcall around a loop", "while true do pcall(function() while true do end end) end"),
        ("pcall in pcall", "local function f() pcall(f) while true do end end while true do pcall(f) end"),
        ("xpcall whose handler loops", "while true do xpcall(error, function() while true do end end) end"),
        ("a coroutine", "coroutine.wrap(function() while true do end end)()"),
        (
            "a coroutine in a loop",
            "while true do pcall(coroutine.wrap(function() while true do end end)) end"
        ),
        (
            "nested coroutines",
            "local w = coroutine.wrap w(function() w(function() w(function() while true do end end)() end)() end)()"
        ),
        (
            "coroutines that hand over",
            "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end"
        ),
        ("ever new coroutines", "while true do coroutine.wrap(function() end)() end"),
        ("a sort comparator", "table.sort({ 1, 2, 3 }, function() while true do end end)"),
        (
            "a sort comparator with pcall",
            "table.sort({ 1, 2, 3 }, function() while true do pcall(function() while true do end end) end end)"
        ),
        (
            "a coroutine in a sort comparator",
            "table.sort({ 1, 2, 3 }, function() coroutine.wrap(function() while true do end end)() end)"
        ),
        (
            "a sort comparator in a coroutine",
            """
            while true do pcall(coroutine.wrap(function() table.sort({ 1, 2, 3 }, function() while true
            do end end) end)) end
            """
        ),
        (
            "a gsub callback",
            "while true do pcall(string.gsub, 'abc', '.', function() while true do end end) end"
        ),
        ("a load reader", "load(function() while true do end end)"),
        ("__index", "local t = setmetatable({}, { __index = function() while true do end end }) return t.x"),
        ("__close", "local c <close> = setmetatable({}, { __close = function() while true do end end })"),
        (
            "__close while an error passes",
            """
            while true do pcall(function() local c <close> = setmetatable({}, { __close = function()
            while true do end end }) error 'e' end) end
            """
        ),
        (
            "__close of a closed coroutine",
            """
            local co = coroutine.create(function()
              local c <close> = setmetatable({}, { __close = function() while true do end end }) coroutine.yield()
            end)
            coroutine.resume(co) coroutine.close(co)
            """
        ),
        (
            "__close of a wrapped coroutine that fails",
            """
            pcall(coroutine.wrap(function() local c <close> = setmetatable({}, { __close = function()
            while true do end end }) error 'e' end))
            """
        ),
        ("an iterator", "for _ in function() return 1 end do end"),
        ("calls of the host", "while true do echo(1) end"),
        ("failing calls of the host", "while true do pcall(refuse) end"),
        ("errors", "while true do pcall(error, 'x') end"),
        ("an empty text repeated", "return #(''):rep(1 << 62)"),
        ("a move without end", "pcall(table.move, {}, 1, math.maxinteger - 1, 2)"),
        (
            "a list that lies about its length",
            """
            pcall(table.concat, setmetatable({}, { __len = function() return 1 << 40 end,
            __index = function() return '' end }))
            """
        ),
        (
            "a slow text to compile",
            "while true do load(('if a then '):rep(190) .. ('elseif a then '):rep(60000)) end"
        ),
        (
            "keys that collide",
            "local t = {} for i = 1, 1 << 16 do t[i * ((1 << 20) - 1)] = i end while true do t[0] = t[5] end"
        ),
    ])
    func `an endless program is ended by its CPU limit`(what: String, body: String) throws {
        #expect(try run(body, limits: LimitTests.quick()).limit().kind == .cpu)
    }

    @Test(arguments: [
        ("a growing list", "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end"),
        (
            "a growing list in pcall",
            "while true do pcall(function() local t = {} for i = 1, 1e9 do t[i] = { i } end end) end"
        ),
        ("doubling text", "local s = 'x' while true do s = s .. s end"),
        ("doubling text in pcall", "local s = 'x' while true do pcall(function() s = s .. s end) end"),
        ("recursion", "local function f() return f() + 1 end f()"),
        ("one large text", "return #string.rep('x', 1 << 30)"),
        ("one large text in pcall", "while true do pcall(string.rep, 'x', 1 << 30) end"),
        ("a text larger than what is left", "local s = ('x'):rep(5 << 20) return #(s .. ('y'):rep(5 << 20))"),
        (
            "table.concat",
            """
            local t = {} for i = 1, 100 do t[i] = ('x'):rep(1 << 16) end local u = {} for i = 1, 1000 do
            u[i] = t[i % 100 + 1] end table.concat(u)
            """
        ),
        ("gsub", "return #(('x'):rep(1 << 16):gsub('x', ('y'):rep(1 << 10)))"),
        (
            "coroutines",
            """
            local t = {} while true do local co = coroutine.create(function() coroutine.yield() end)
            coroutine.resume(co) t[#t + 1] = co end
            """
        ),
        (
            "a coroutine in pcall",
            "while true do pcall(coroutine.wrap(function() local s = 'x' while true do s = s .. s end end)) end"
        ),
        (
            "a sort comparator in pcall",
            """
            while true do pcall(table.sort, { 1, 2, 3 }, function() local s = 'x' while true do s = s ..
            s end end) end
            """
        ),
    ])
    func `a program without end of memory is ended by that limit`(what: String, body: String) throws {
        var limits = LimitTests.quick()
        limits.cpuMilliseconds = 20_000
        #expect(try run(body, limits: limits).limit().kind == .memory)
    }

    /// A stack may be moved a little beyond the limit; with many of them that is beyond what lies next to the memory.
    @Test func `stacks that grow where memory is nearly full stay in memory of their own`() throws {
        var limits = LimitTests.quick()
        limits.memoryBytes = 1 << 20
        limits.cpuMilliseconds = 20_000
        let locals = (1...60).map { "v\($0)" }.joined(separator: ", ")
        var outcomes: Set<String> = []
        for kept in stride(from: 8000, through: 14_000, by: 25) {
            let runner = try ScriptRunner(
                """
                local function wide() local \(locals) = 1 return v1 end
                local all = {}
                for i = 1, 100 do
                  all[i] = coroutine.create(function() coroutine.yield() return wide() end)
                  coroutine.resume(all[i])
                end
                local list
                for i = 1, \(kept) do list = { list } end
                for i = 1, 100 do coroutine.resume(all[i]) end
                return "done"
                """, limits: limits)
            let step = runner.finish()
            #expect(runner.state.memoryBytes <= limits.memoryBytes / 8 * 9)
            if case .ended(let limit) = step {
                outcomes.insert("\(limit.kind)")
            } else {
                outcomes.insert("done")
            }
        }
        #expect(outcomes == ["memory", "done"])
    }

    @Test func `an ended program runs nothing more, not even what would catch it`() throws {
        let runner = try ScriptRunner(
            """
            local c <close> = setmetatable({}, { __close = function() echo('closed') end })
            pcall(table.sort, { 1, 2, 3 }, function()
              local c <close> = setmetatable({}, { __close = echo })
              xpcall(function() while true do end end, echo)
              echo('after')
            end)
            echo('end')
            """, limits: LimitTests.quick())
        #expect(try runner.finish().limit().kind == .cpu)
        #expect(runner.host.calls.isEmpty)
        #expect(try runner.advance().limit().kind == .cpu)
    }

    @Test(arguments: [
        ("local a\n\nwhile true do end", 3), ("local s = 'x'\nwhile true do s = s .. s end", 2),
        ("\ncoroutine.wrap(function()\n while true do end end)()", 3), ("\n\nreturn #('x'):rep(1 << 30)", 3),
    ])
    func `a limit says where the script was`(body: String, line: Int) throws {
        let limit = try run(body, limits: LimitTests.quick()).limit()
        #expect(limit.script == "test.lua" && limit.line == line)
    }

    @Test(arguments: [
        ("return #(''):rep(1 << 62)", "rep"), ("return #('x'):rep(1 << 30)", "rep"),
        ("table.move({}, 1, math.maxinteger - 1, 2)", "move"), ("while true do end", ""),
    ])
    func `a limit says which function used it up`(body: String, function: String) throws {
        #expect(try run(body, limits: LimitTests.quick()).limit().function == function)
    }

    @Test func `a text that takes too long to compile is refused`() {
        let text = "if a then " + String(repeating: "elseif a then ", count: 300_000) + " end"
        let error = #expect(throws: LuaSyntaxError.self) { try LuaChunk.compile(text, name: "slow.lua") }
        #expect(error?.message == "it takes too long to compile")
    }

    @Test func `threads stay usable after scripts were ended in the midst of C`() throws {
        for _ in 0..<20 {
            #expect(try run("return #(''):rep(1 << 62)", limits: LimitTests.quick()).limit().kind == .cpu)
            #expect(try run("local t = {} for i = 1, 1000 do t[i] = i end return #t").result() == "1000")
        }
    }

    @Test(arguments: [
        "local s for i = 1, 2000 do s = ('x'):rep(100000) .. i end return #s == 100004",
        // With five of eight MiB in use Lua waits for the refusal before it collects.
        """
        local kept = {}
        for i = 1, 5 do kept[i] = ('x'):rep(1 << 20) .. i end
        local s for i = 1, 200 do s = kept[1] .. ('y'):rep(i) end
        return #s == (1 << 20) + 201
        """,
    ])
    func `garbage does not count`(body: String) throws {
        var limits = LimitTests.quick()
        limits.cpuMilliseconds = 20_000
        #expect(try run(body, limits: limits).result() == "true")
    }

    @Test func `the memory in use is known and stays within the limit`() throws {
        var limits = LimitTests.quick()
        limits.cpuMilliseconds = 20_000
        let runner = try ScriptRunner("local t = {} while true do t[#t + 1] = { #t } end", limits: limits)
        let before = runner.state.memoryBytes
        #expect(before > 0)
        #expect(try runner.finish().limit().kind == .memory)
        #expect(runner.state.memoryBytes > before && runner.state.memoryBytes <= limits.memoryBytes)
    }

    @Test func `memory is given back while other states come and go`() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for _ in 1...3 {
                group.addTask {
                    for round in 1...8 {
                        let runners = try (1...150).map { try ScriptRunner("return \($0) * \(round)") }
                        for (index, runner) in runners.enumerated() {
                            #expect(try runner.finish().result() == "\((index + 1) * round)")
                        }
                    }
                }
            }
            group.addTask {
                for _ in 1...50 {
                    LuaState.giveBackMemory()
                    await Task.yield()
                }
            }
        }
    }

    @Test func `a limit too small for the libraries is an error of its own`() {
        var limits = LuaLimits()
        limits.memoryBytes = 8 << 10
        let failure = #expect(throws: LuaFailure.self) {
            try LuaState(limits: limits, functions: [], host: ScriptedHost())
        }
        #expect(failure?.message == "the memory limit is too small for a Lua state")
    }

    @Test func `the CPU time counts from one wait to the next`() throws {
        var limits = LimitTests.quick()
        limits.cpuMilliseconds = 150
        // Sixty parts, each of several slices and well within the limit, and together beyond it.
        let part = "for i = 1, 3000000 do x = (x + i) % 7 end"
        let body = "local x = 0 for k = 1, 60 do \(part) await() end return 'done'"
        #expect(try ScriptRunner(body, limits: limits).finish().result() == #""done""#)
        let together = "local x = 0 for k = 1, 60 do \(part) end return 'done'"
        #expect(try run(together, limits: limits).limit().kind == .cpu)
    }
}
