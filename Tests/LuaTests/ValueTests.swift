import PerigeeLua
import Testing

struct ValueTests {
    @Test(arguments: [
        ("1", "1"), ("-7", "-7"), ("2.0", "2"), ("1e15", "1000000000000000"), ("2.5", "2.5"), ("0.1", "0.1"),
        ("0.1 + 0.2", "0.30000000000000004"), ("1 / 3", "0.3333333333333333"), ("1e300", "1e+300"),
        ("5e-324", "5e-324"), ("1.5e-310", "1.5e-310"),
        ("2.2250738585072014e-308", "2.2250738585072014e-308"),
        ("math.maxinteger", "9223372036854775807"), ("math.mininteger", "-9223372036854775808"),
        ("2^53", "9007199254740992"), ("2^63", "9.223372036854776e+18"),
        ("true", "true"), ("false", "false"), ("null", "null"), ("nil", "nil"),
        ("'ä€😀'", #""ä€😀""#), (#"'a"b\\c\n\r\t\1'"#, #""a\"b\\c\n\r\t\u0001""#), ("''", #""""#),
        ("{}", "{}"), ("array {}", "[]"), ("{ 1, 2 }", "[1,2]"), ("{ 1, null, 3 }", "[1,null,3]"),
        ("{ b = 1, a = 2, ['a b'] = 3, A = 4, aa = 5 }", #"{"A":4,"a":2,"a b":3,"aa":5,"b":1}"#),
        (
            "{ z = { y = 1, x = { 1 } }, a = { c = {}, b = array {} } }",
            #"{"a":{"b":[],"c":{}},"z":{"x":[1],"y":1}}"#
        ),
        ("{ [''] = 1 }", #"{"":1}"#), ("{ { {} } }", "[[{}]]"),
    ])
    func `a Lua value becomes this JSON`(expression: String, json: String) throws {
        #expect(try run("return \(expression)").result() == json)
    }

    @Test(arguments: [
        ("7", "math.type(v) == 'integer' and v == 7"), ("7.0", "math.type(v) == 'float' and v == 7"),
        ("-0", "math.type(v) == 'integer' and v == 0"), ("1e3", "math.type(v) == 'float' and v == 1000"),
        ("2.5E-1", "v == 0.25"), ("9223372036854775807", "v == math.maxinteger"),
        ("-9223372036854775808", "v == math.mininteger"), ("9223372036854775808", "v == 2^63"),
        ("1" + String(repeating: "0", count: 90), "v == 1e90"),
        ("0." + String(repeating: "3", count: 90), "v == 1 / 3"),
        (#""a\u00e4\ud83d\ude00\"\\\/\b\f\n\r\tz""#, #"v == 'aä😀"\\/\b\f\n\r\tz'"#),
        (#""\u0000""#, #"v == '\0'"#),
        ("null", "v == nil"), (#"{"a":null}"#, "next(v) == nil"),
        ("[null,1]", "v[1] == null and v[2] == 1 and #v == 2"),
        ("[]", "is_array(v) and #v == 0"), ("{}", "not is_array(v) and next(v) == nil"),
        (" [ 1 , { \"a\" : true } ] \n", "v[1] == 1 and v[2].a == true"), (#"{"a":1,"a":2}"#, "v.a == 2"),
    ])
    func `JSON becomes this Lua value`(json: String, test: String) throws {
        #expect(try run("local v = input return \(test)", argument: json).result() == "true")
    }

    @Test(arguments: [
        "", " ", "nul", "truefalse", "1 2", "01", "-", "+1", ".5", "1.", "1e", "1e+", "--1", "1-2", "0x10",
        "NaN", "1e999",
        "[1,]", "[,1]", "[1", "{", #"{"a"}"#, #"{"a":1,}"#, "{a:1}", "{1:2}", #"""#, #""\x""#, #""\u12""#,
        #""\ud83d""#, #""\ud83dx""#, #""\udc00""#, "\"a\nb\"", "\"a\u{1}\"", "1\0", "[1\0]", "'a'",
        String(repeating: "[", count: 300) + String(repeating: "]", count: 300),
    ])
    func `text that is not JSON is refused`(text: String) throws {
        let runner = try ScriptRunner(
            "local ok, e = pcall(decode, answer()) return { ok, e.code, e.message:sub(1, 20), math.type(e.position) }"
        )
        // The text travels as a JSON string.
        let escaped = text.unicodeScalars.map { scalar in
            scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
                ? "\\u00" + String(scalar.value + 0x100, radix: 16).suffix(2) : String(scalar)
        }
        runner.host.answer = .value(Array("\"\(escaped.joined())\"".utf8))
        #expect(try runner.finish().result() == #"[false,"PG1020","the text is not JSON","integer"]"#)
    }

    @Test(arguments: [
        ("{ a = print_me }", "a is a function; only data can be kept"),
        ("{ items = { 1, { f = print_me } } }", "items[2].f is a function; only data can be kept"),
        ("print_me", "the value is a function; only data can be kept"),
        ("{ co = coroutine.create(print_me) }", "co is a coroutine; only data can be kept"),
        ("{ price = 0 / 0 }", "price is not a number (NaN); only real numbers can be kept"),
        ("{ price = { 1 / 0 } }", "price[1] is infinite; only real numbers can be kept"),
        ("-1 / 0", "the value is infinite; only real numbers can be kept"),
        ("cycle", "me.me contains itself; only a tree can be kept"),
        ("{ list = { 1, nil, 3 } }", "list is a list with a hole; use flow.json.null for an empty place"),
        ("array { 1, nil, 3 }", "the value is a list with a hole; use flow.json.null for an empty place"),
        ("{ 1, 2, name = 'x' }", "the value is a list that also has named fields or gaps; keep them apart"),
        (
            "{ gap = { [5] = 1 } }",
            """
            gap[5] has a number as its key beside others, or after a gap; a list counts 1, 2, 3 … and an \
            object has keys of text
            """
        ),
        ("{ o = { [true] = 1 } }", "o has a key that is not text; only text can be a key"),
        ("{ o = { [1.5] = 1 } }", "o has a key that is not text; only text can be a key"),
        (#"{ raw = '\xff' }"#, "raw is not valid UTF-8 text; only text can be kept"),
        (#"{ raw = '\xc0\x80' }"#, "raw is not valid UTF-8 text; only text can be kept"),
        (#"{ raw = '\xed\xa0\x80' }"#, "raw is not valid UTF-8 text; only text can be kept"),
        (#"{ raw = '\xf4\x90\x80\x80' }"#, "raw is not valid UTF-8 text; only text can be kept"),
        (#"{ raw = 'a\xe2\x82' }"#, "raw is not valid UTF-8 text; only text can be kept"),
        (#"{ ['a\0'] = print_me }"#, "a? is a function; only data can be kept"),
        (#"{ ['\xff'] = 1 }"#, "? is not valid UTF-8 text; only text can be kept"),
        ("{ token = secret 'CRM' }", "token is a secret; a secret can only be given to http"),
        ("string.rep('x', 1 << 20)", "the value is larger than 1024 KiB"),
    ])
    func `what JSON can't hold is refused with its path`(expression: String, message: String) throws {
        let setup = "local function print_me() end local cycle = { } cycle.me = { me = cycle } "
        let body =
            setup + "local ok, e = pcall(encode, \(expression)) return { ok, e.code, e.kind, e.message }"
        let escaped = message.replacing("\"", with: "\\\"")
        #expect(try run(body).result() == #"[false,"PG1020","validation","\#(escaped)"]"#)
    }

    @Test(arguments: [(64, true), (65, false)])
    func `a value may nest 64 levels`(levels: Int, isKept: Bool) throws {
        let step = try run("local v = 1 for i = 1, \(levels) do v = { v } end return v")
        if isKept {
            let text = String(repeating: "[", count: levels) + "1" + String(repeating: "]", count: levels)
            #expect(try step.result() == text)
        } else {
            #expect(try step.failure().message.hasSuffix("nests deeper than 64 levels"))
        }
    }

    @Test func `a value may be as large as the limit, and not a byte more`() throws {
        var limits = LuaLimits()
        limits.valueBytes = 1024
        #expect(try run("return ('x'):rep(1022)", limits: limits).result().utf8.count == 1024)
        let message = try run("return ('x'):rep(1023)", limits: limits).failure().message
        #expect(message == "the workflow's result can't be kept: the value is larger than 1 KiB")
    }

    @Test func `a refused argument never reaches the host`() throws {
        let runner = try ScriptRunner("await('name', { list = { function() end } })")
        let failure = try runner.finish().failure()
        #expect(failure.code == "PG1020" && failure.message == "list[1] is a function; only data can be kept")
        #expect(runner.host.calls.isEmpty)
    }

    @Test func `the host gets all arguments, and where the call stands`() throws {
        let runner = try ScriptRunner("\n echo(1, nil, 'two', { 3 })\n await_in_stdlib()")
        #expect(runner.advance().isSuspended)
        #expect(
            runner.host.calls == [
                .init(
                    function: "echo", arguments: #"[1,null,"two",[3]]"#, secrets: [], script: "test.lua",
                    line: 2),
                .init(function: "await_step", arguments: "[]", secrets: [], script: "test.lua", line: 3),
            ])
    }

    @Test func `a table that is shared, but not within itself, is written twice`() throws {
        #expect(try run("local t = { 1 } return { t, t }").result() == "[[1],[1]]")
    }

    @Test func `a list keeps its kind from JSON to Lua and back, also when it was changed`() throws {
        let body = "input.a[1] = nil input.b[1] = 2 return input"
        #expect(try run(body, argument: #"{"a":[1],"b":[],"c":{}}"#).result() == #"{"a":[],"b":[2],"c":{}}"#)
    }

    @Test func `the definition shows functions as true`() throws {
        let runner = try ScriptRunner(script: "return { name = 'x', run = function() end, on = { 'a' } }")
        #expect(
            String(decoding: try runner.state.definition(), as: UTF8.self)
                == #"{"name":"x","on":["a"],"run":true}"#)
    }

    @Test func `a definition that can't be written says where`() throws {
        let runner = try ScriptRunner(script: "return { name = 'x', every = 0 / 0 }")
        let failure = #expect(throws: LuaFailure.self) { try runner.state.definition() }
        #expect(failure?.message == "workflow: every is not a number (NaN); only real numbers can be kept")
    }

    @Test func `a function that the definition does not have can't begin`() throws {
        let runner = try ScriptRunner(script: "return { name = 'x' }")
        let failure = #expect(throws: LuaFailure.self) {
            try runner.state.begin("run", argument: Array("{}".utf8))
        }
        #expect(failure?.message.hasSuffix("`run` is no function") == true)
    }

    @Test(arguments: ["return 1", "return", "return nil, {}", ""])
    func `a script that returns no table fails`(script: String) throws {
        let state = try LuaState(limits: LuaLimits(), functions: [], host: ScriptedHost())
        let failure = try state.evaluate(try LuaChunk.compile(script, name: "test.lua")).failure()
        #expect(failure.code == "PG1016" && failure.message == "the script does not return a workflow")
    }

    @Test(arguments: ["return t", "return { t }", "echo(t)", "error(t)", "return { pcall(echo, t) } and t"])
    func `objects as keys are refused, however many there are`(end: String) throws {
        let body = "local t = { 1 } for i = 1, 100 do t[{}] = i t[function() end] = i t[null] = i end \(end)"
        let failure = try run(body).failure()
        #expect(
            end == "error(t)" || failure.message.contains("key") || failure.message.contains("named fields"))
    }
}
