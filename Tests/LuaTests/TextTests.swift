import PerigeeLua
import Testing

struct TextTests {
    @Test(arguments: [
        ("tostring(t)", "table: 1"),
        ("tostring(t) .. ' ' .. tostring({}) .. ' ' .. tostring(t)", "table: 1 table: 2 table: 1"),
        ("tostring(tostring)", "function: 1"), ("tostring(function() end)", "function: 1"),
        ("tostring(coroutine.create(load))", "thread: 1"),
        ("tostring(setmetatable({}, { __name = 'Order' }))", "Order: 1"),
        ("('%s|%.3s|%-10s|%s'):format(t, {}, load, t)", "table: 1|tab|function: 3|table: 1"),
        ("('%5s|%d|%%|%s|%q'):format(true, 5, nil, 'x')", #" true|5|%|nil|\"x\""#),
        ("tostring(0/0) .. ' ' .. tostring(-(0/0)) .. ' ' .. 1/0 .. ' ' .. -1/0", "nan nan inf -inf"),
        (
            "('%f %g %.1e %a %s %5.1f'):format(0/0, -(0/0), 0/0, -(0/0), -(0/0), 0/0)",
            "nan nan nan nan nan   nan"
        ),
        (
            "tostring(1e15) .. ' ' .. tostring(2^53) .. ' ' .. tostring(-0.0) .. ' ' .. tostring(12)",
            "1e+15 9.007199254741e+15 -0.0 12"
        ),
        ("tostring(nil) .. ' ' .. tostring(true) .. ' ' .. tostring('x')", "nil true x"),
        ("tostring(setmetatable({}, { __tostring = function() return 'own' end }))", "own"),
        ("math.type(tostring(setmetatable({}, { __tostring = function() return 5 end }))) or 'text'", "text"),
        ("('%s'):format(setmetatable({}, { __tostring = function() return 'own' end }))", "own"),
        ("tostring(null) .. ' ' .. ('%s'):format(secret 'S')", "null secret:S"),
    ])
    func `text holds no address`(expression: String, text: String) throws {
        #expect(try run("local t = {} return \(expression)").result() == "\"\(text)\"")
    }

    @Test(arguments: [
        ("string.format('%p', {})", "PG1041"), ("string.format('%d %10p', 1, {})", "PG1041"),
    ])
    func `the address of an object can't be written`(body: String, code: String) throws {
        #expect(try run(body).failure().code == code)
    }

    @Test(arguments: [
        (
            "local x = ('%d'):format('x')",
            "test.lua:1: bad argument #1 to 'format' (number expected, got string)"
        ),
        (
            "local x = string.format('%d', 'x')",
            "test.lua:1: bad argument #2 to 'format' (number expected, got string)"
        ),
        ("local x = ('%s %s'):format('x')", "test.lua:1: bad argument #2 to 'format' (no value)"),
        (
            "local x = ('%s %d'):format({}, 1.5)",
            "test.lua:1: bad argument #2 to 'format' (number has no integer representation)"
        ),
        ("local x = ('%y'):format(1)", "test.lua:1: invalid conversion '%y' to 'format'"),
        ("local x = ('%'):format(1)", "test.lua:1: invalid conversion '%' to 'format'"),
        (
            "local x = ('%q'):format({})",
            "test.lua:1: bad argument #1 to 'format' (value has no literal form)"
        ),
        ("local x = tostring()", "test.lua:1: bad argument #1 to 'tostring' (value expected)"),
        (
            "local x = tostring(setmetatable({}, { __tostring = function() return {} end }))",
            "'__tostring' must return a string"
        ),
        (
            "local x = ('%s'):format(setmetatable({}, { __tostring = function() end }))",
            "'__tostring' must return a string"
        ),
    ])
    func `errors are those of stock Lua`(body: String, message: String) throws {
        #expect(try run(body).failure().message.hasSuffix(message))
    }

    @Test func `a __tostring that tostring calls may wait`() throws {
        let runner = try ScriptRunner(
            "return tostring(setmetatable({}, { __tostring = function() return await('text') end }))")
        #expect(try runner.finish { _ in .value(Array(#""later""#.utf8)) }.result() == #""later""#)
    }

    @Test func `randomseed without arguments begins the run's own numbers again`() throws {
        let body = """
            local first = { math.random(1 << 40), math.random(1 << 40) }
            math.randomseed()
            local again = { math.random(1 << 40), math.random(1 << 40) }
            math.randomseed(5) local five = math.random(1 << 40)
            math.randomseed(5) assert(math.random(1 << 40) == five)
            return { first[1] == again[1], first[2] == again[2], first[1] }
            """
        let one = try ScriptRunner(body, seed: 1).finish().result()
        #expect(one.hasPrefix("[true,true,"))
        #expect(try ScriptRunner(body, seed: 1).finish().result() == one)
        #expect(try ScriptRunner(body, seed: 2).finish().result() != one)
    }
}
