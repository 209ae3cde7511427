import PerigeeLua
import Testing

struct SuspensionTests {
    @Test(arguments: [
        ("directly", "return await('a').x"),
        ("inside pcall", "local ok, v = pcall(await, 'a') return ok and v.x"),
        ("inside pcall of a function", "local ok, v = pcall(function() return await('a').x end) return v"),
        (
            "inside xpcall",
            "local ok, v = xpcall(function() return await('a').x end, function() end) return v"
        ),
        (
            "in a coroutine",
            "local _, v = coroutine.resume(coroutine.create(function() return await('a').x end)) return v"
        ),
        ("in coroutine.wrap", "return coroutine.wrap(function() return await('a').x end)()"),
        (
            "in nested coroutines",
            "local w = coroutine.wrap return w(function() return w(function() return w(await)('a').x end)() end)()"
        ),
        (
            "in a coroutine inside pcall inside a coroutine",
            """
            return coroutine.wrap(function() local _, v = pcall(coroutine.wrap(function() return
            await('a').x end)) return v end)()
            """
        ),
        ("in a generic for iterator", "for v in function() return await('a').x end do return v end"),
        (
            "in a coroutine as iterator",
            "for v in coroutine.wrap(function() coroutine.yield(await('a').x) end) do return v end"
        ),
        ("in __index", "return setmetatable({}, { __index = function(_, k) return await(k).x end }).a"),
        (
            "in __newindex",
            "local got setmetatable({}, { __newindex = function(_, k, v) got = await(k).x end }).a = 1 return got"
        ),
        ("in __add", "return setmetatable({}, { __add = function() return await('a').x end }) + 1"),
        ("in __concat", "return setmetatable({}, { __concat = function() return await('a').x end }) .. ''"),
        ("in __len", "return #setmetatable({}, { __len = function() return await('a').x end })"),
        ("in __call", "return setmetatable({}, { __call = function() return await('a').x end })()"),
        (
            "in __eq",
            """
            local m = { __eq = function() return await('a').x == 42 end } return setmetatable({}, m) ==
            setmetatable({}, m) and 42
            """
        ),
        (
            "in __lt",
            """
            local m = { __lt = function() return await('a').x == 42 end } return setmetatable({}, m) <
            setmetatable({}, m) and 42
            """
        ),
        (
            "in __close",
            """
            local got do local c <close> = setmetatable({}, { __close = function() got = await('a').x
            end }) end return got
            """
        ),
        (
            "in __close while an error passes",
            """
            local got
            pcall(function()
              local c <close> = setmetatable({}, { __close = function() got = await('a').x end })
              error('e')
            end)
            return got
            """
        ),
        ("in a function of the stdlib", "return await_in_stdlib('a').x"),
    ])
    func `a call waits and goes on with its answer`(place: String, body: String) throws {
        let runner = try ScriptRunner(body)
        #expect(runner.advance().isSuspended)
        #expect(runner.host.calls.map(\.function) == ["await_step"])
        #expect(try runner.advance(json: #"{"x":42}"#).result() == "42")
    }

    @Test func `each of many calls gets its own answer`() throws {
        let runner = try ScriptRunner(
            """
            local sum = 0
            local step = coroutine.wrap(function() while true do coroutine.yield(await('in')) end end)
            for i = 1, 500 do
              sum = sum + await('out') + step()
            end
            return sum
            """)
        let result = try runner.finish { .value(Array(String($0).utf8)) }.result()
        #expect(result == String(1000 * 1001 / 2))
        #expect(
            runner.host.calls.map(\.arguments) == (0..<1000).map { $0 % 2 == 0 ? #"["out"]"# : #"["in"]"# })
    }

    @Test func `a coroutine's own yields are not taken for waiting, nor the other way round`() throws {
        let runner = try ScriptRunner(
            """
            local log = {}
            local co = coroutine.create(function(a)
              local b = coroutine.yield(a + 1)
              log[#log + 1] = await('x')
              local c = coroutine.yield(b + 1)
              return c + 1
            end)
            for i = 1, 3 do local _, v = coroutine.resume(co, i * 10) log[#log + 1] = v end
            log[#log + 1] = coroutine.status(co)
            return log
            """)
        #expect(runner.advance().isSuspended)
        #expect(try runner.advance(json: "7").result() == #"[11,7,21,31,"dead"]"#)
    }

    @Test func `nothing is answered with nil`() throws {
        #expect(
            try run("return { n = select('#', await('a')), isnil = await('a') == nil }").result()
                == #"{"isnil":true,"n":0}"#)
    }

    @Test func `a failure is raised as an error table where the script waits`() throws {
        let failure = LuaReply.failure(Array(#"{"code":"PG3001","message":"no answer","status":503}"#.utf8))
        let caught = try ScriptRunner("local ok, e = pcall(await, 'a') return { ok, e.code, e.status }")
        #expect(try caught.finish { _ in failure }.result() == #"[false,"PG3001",503]"#)
        let uncaught = try ScriptRunner("\n\nawait('a')").finish { _ in failure }.failure()
        #expect(uncaught.message == "no answer" && uncaught.code == "PG3001" && uncaught.line == 3)
    }

    @Test func `ten thousand failures can be caught`() throws {
        let body =
            """
            local n = 0 for i = 1, 10000 do local ok, e = pcall(refuse) if e.code == 'PG9000' then n = n
            + 1 end end return n
            """
        #expect(try run(body).result() == "10000")
    }

    @Test func `ten thousand failures of waiting calls can be caught`() throws {
        let runner = try ScriptRunner(
            """
            local n = 0 for i = 1, 10000 do local ok, e = pcall(await) if e.code == 'PG9' then n = n + 1
            end end return n
            """
        )
        #expect(try runner.finish { _ in .failure(Array(#"{"code":"PG9"}"#.utf8)) }.result() == "10000")
    }

    @Test(arguments: [
        ("a module's main chunk", "require 'waiting'"),
        (
            "a coroutine in a load reader",
            "load(function() coroutine.wrap(await)('in') end)"
        ),
        ("an error handler", "xpcall(error, function() await('handler') end)"),
        ("a load reader", "load(function() await('reader') end)"),
        (
            "__tostring in string.format",
            "('%s'):format(setmetatable({}, { __tostring = function() await('text') end }))"
        ),
        (
            "__index in table.concat",
            "table.concat(setmetatable({}, { __len = function() return 1 end, __index = function() await('i') end }))"
        ),
        (
            "__close of a closed coroutine",
            """
            local co = coroutine.create(function()
              local c <close> = setmetatable({}, { __close = function() await('close') end }) coroutine.yield()
            end)
            coroutine.resume(co)
            local ok, e = coroutine.close(co)
            error(e, 0)
            """
        ),
    ])
    func `where Lua can't stop, a waiting call is refused before the host is asked`(
        place: String, body: String
    ) throws {
        let kept =
            """
            local seen local f = await await = function(...) local ok, e = pcall(f, ...) seen = seen or
            e error(e, 0) end 
            """
        let runner = try ScriptRunner(
            kept + "pcall(function() \(body)\nend) return { seen.code, seen.kind, seen.message }",
            modules: ["waiting": "await('module')"])
        let result = try runner.finish().result()
        #expect(result.hasPrefix(#"["PG1010","script","#) && result.contains("can't wait here"))
        #expect(runner.host.calls.isEmpty)
    }

    @Test func `a call that does not wait is answered also where Lua can't stop`() throws {
        #expect(
            try run("return (('abc'):gsub('b', function(c) return echo(c)[1]:upper() end))").result()
                == #""aBc""#)
    }

    @Test func `after a refused wait the script can still wait elsewhere`() throws {
        let runner = try ScriptRunner(
            "pcall(load, function() coroutine.wrap(await)('in') end) return await('after')")
        #expect(runner.advance().isSuspended)
        #expect(try runner.advance(json: "1").result() == "1")
        #expect(runner.host.calls.map(\.arguments) == [#"["after"]"#])
    }

    @Test func `the main program can't yield by itself`() throws {
        #expect(
            try run("coroutine.yield(1)").failure().message.hasSuffix(
                "attempt to yield from outside a coroutine"))
        #expect(
            try run("return { coroutine.isyieldable(), select(2, coroutine.running()) }").result()
                == "[false,true]")
    }

    @Test(arguments: [
        (
            "local co = coroutine.create(error) coroutine.resume(co, 'e') return { coroutine.resume(co) }",
            #"[false,"cannot resume dead coroutine"]"#
        ),
        (
            """
            local co co = coroutine.create(function() return { coroutine.resume(co) } end) return
            select(2, coroutine.resume(co))
            """,
            #"[false,"cannot resume non-suspended coroutine"]"#
        ),
        (
            "local t = coroutine.running() return coroutine.wrap(function() return { coroutine.resume(t) } end)()",
            #"[false,"cannot resume non-suspended coroutine"]"#
        ),
        (
            """
            local co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co) return {
            coroutine.close(co), coroutine.status(co) }
            """,
            #"[true,"dead"]"#
        ),
        (
            "local t = coroutine.running() return { pcall(coroutine.close, t) }",
            #"[false,"cannot close a coroutine that runs"]"#
        ),
        ("return { select('#', coroutine.wrap(function(...) return ... end)(1, nil, nil)) }", "[3]"),
        ("return { pcall(coroutine.wrap(function() error({ code = 'X' }) end)) }", #"[false,{"code":"X"}]"#),
        (
            """
            local co = coroutine.create(function() local c <close> = setmetatable({}, { __close =
            function() error('in close', 0) end }) coroutine.yield() end) coroutine.resume(co) return {
            coroutine.close(co) }
            """,
            #"[false,"in close"]"#
        ),
        (
            """
            return { pcall(coroutine.wrap(function() local c <close> = setmetatable({}, { __close =
            function() error({ 'second' }) end }) error('first') end)) }
            """,
            #"[false,["second"]]"#
        ),
    ])
    func `coroutines behave as in stock Lua`(body: String, result: String) throws {
        #expect(try run(body).result() == result)
    }
}
