import PerigeeLua
import Testing

struct FailureTests {
    @Test(arguments: [
        ("error('boom')", "test.lua:1: boom"), ("error('boom', 0)", "boom"), ("error(42)", "42"),
        ("error({ message = 'text', code = 'X1' })", "text"), ("error({ message = 7 })", "7"),
        ("error({})", "error value is table without a message"), ("error(nil)", "error value is nil"),
        ("error()", "error value is nil"), ("error(true)", "error value is boolean"),
        ("error(function() end)", "error value is function"),
        (
            "error(setmetatable({}, { __tostring = function() return 'own' end }))",
            "error value is table without a message"
        ),
        ("local x = nil + 1", "test.lua:1: attempt to perform arithmetic on a nil value"),
        ("local t t.x = 1", "test.lua:1: attempt to index a nil value (local 't')"),
        ("assert(false)", "assertion failed!"), ("assert(nil, 'why')", "why"),
        ("coroutine.wrap(function() error('in', 0) end)()", "test.lua:1: in"),
        ("coroutine.wrap(function() error({ message = 'in' }) end)()", "in"),
        ("local function f(a, b, c, d) return f(a, b, c, d) + 1 end f()", "stack overflow"),
    ])
    func `an error that nothing catches is described`(body: String, message: String) throws {
        #expect(try run(body).failure().message.contains(message))
    }

    @Test func `an error table keeps its fields`() throws {
        let failure = try run("error({ message = 'm', code = 'X1', detail = { 1, f = nil }, retry = print })")
            .failure()
        #expect(
            String(decoding: try #require(failure.value), as: UTF8.self)
                == #"{"code":"X1","detail":[1],"message":"m"}"#)
        #expect(
            try run("error({ message = 'm', f = function() end })").failure().value
                == Array(#"{"f":true,"message":"m"}"#.utf8))
    }

    @Test func `a text or a table that is no data has no value`() throws {
        #expect(try run("error('text')").failure().value == nil)
        let failure = try run("local e = { message = 'loop' } e.e = e error(e)").failure()
        #expect(failure.value == nil && failure.message == "loop")
    }

    @Test func `a long message is cut`() throws {
        #expect(try run("error(('x'):rep(100000), 0)").failure().message.utf8.count == 8192)
    }

    @Test func `script, line and traceback show the script's own frames, innermost first`() throws {
        let failure = try run(
            """

            local function inner(x)
              return x.field.deep
            end
            local function outer()
              inner({})
              return 1
            end
            outer()
            return 1
            """
        ).failure()
        #expect(failure.script == "test.lua" && failure.line == 3)
        #expect(
            failure.traceback == [
                "test.lua:3 in function 'inner'", "test.lua:6 in function 'outer'",
                "test.lua:9 in function '?'",
            ])
    }

    @Test func `the stdlib's frames are left out`() throws {
        let host = ScriptedHost()
        let state = try LuaState(limits: LuaLimits(), functions: [], host: host)
        let prelude = "local host, env = ...\nfunction env.check(x)\n error('bad ' .. x, 2)\nend"
        try state.runPrelude(try LuaChunk.compile(prelude, name: "stdlib/check.lua"))
        let script = "return { run = function()\n\n check('value')\n return 1 end }"
        _ = try state.evaluate(try LuaChunk.compile(script, name: "mine.lua")).result()
        try state.begin("run", argument: Array("{}".utf8))
        let failure = try state.advance(nil).failure()
        #expect(
            failure.message == "mine.lua:3: bad value" && failure.script == "mine.lua" && failure.line == 3)
        #expect(failure.traceback == ["mine.lua:3 in function '?'"])
    }

    @Test func `a traceback has at most twenty lines`() throws {
        let failure = try run(
            "local function f(n) if n == 0 then error('x') end f(n - 1) return 1 end f(100)"
        ).failure()
        #expect(failure.traceback.count == 20)
    }

    @Test func `a chunk of the stdlib that fails is an error`() throws {
        let state = try LuaState(limits: LuaLimits(), functions: [], host: ScriptedHost())
        let chunk = try LuaChunk.compile("error('broken', 0)", name: "stdlib/x.lua")
        let failure = #expect(throws: LuaFailure.self) { try state.runPrelude(chunk) }
        #expect(failure?.message == "broken")
    }

    @Test func `a failed run says where also when it fails in a later slice`() throws {
        let runner = try ScriptRunner("await()\nawait()\nerror('late')")
        let failure = try runner.finish().failure()
        #expect(failure.message == "test.lua:3: late" && failure.line == 3)
    }

    @Test func `a state runs again after a failure`() throws {
        let runner = try ScriptRunner(
            "if input.fail then error('x') end return 'ok'", argument: #"{"fail":true}"#)
        #expect(try runner.finish().failure().line == 1)
        try runner.state.begin("run", argument: Array("{}".utf8))
        #expect(try runner.finish().result() == #""ok""#)
    }

    @Test func `an argument that is not JSON is refused`() throws {
        let runner = try ScriptRunner("return input")
        let failure = #expect(throws: LuaFailure.self) {
            try runner.state.begin("run", argument: Array("{".utf8))
        }
        #expect(failure?.code == "PG1020")
    }
}
