import Perigee
import PerigeeJournal
import Testing

@Suite("flow.json", .timeLimit(.minutes(5)))
struct FlowJSONTests {
    @Test("writes and reads JSON text")
    func text() async throws {
        try await Evaluation.expect([
            (#"flow.json.encode({ b = 1, a = { 2.0, 2.5, "é\n" } })"#, #"{"a":[2,2.5,"é\n"],"b":1}"#),
            ("flow.json.encode(flow.json.array {})", "[]"), ("flow.json.encode({})", "{}"),
            ("flow.json.encode(nil)", "null"),
            (
                #"flow.json.encode({ a = { 1, {}, flow.json.array {} }, b = { c = "x:{[,\\\"" } }, { indent = 2 })"#,
                """
                {
                  "a": [
                    1,
                    {},
                    []
                  ],
                  "b": {
                    "c": "x:{[,\\\\\\""
                  }
                }
                """
            ),
            (#"flow.json.encode("a", { indent = 8 })"#, #""a""#),
            ("flow.json.encode({}, { indent = 1 })", "{}"),
            (#"flow.json.decode('{"a":[1,2.5,null,{"b":[]}],"n":null}')"#, ["a": [1, 2.5, nil, ["b": []]]]),
            (#"flow.json.decode("[9007199254740993]")[1] == 9007199254740993"#, true),
            (#"flow.json.decode("null") == nil"#, true),
        ])
    }

    @Test("says where a text is not JSON")
    func wrongText() async throws {
        try await Evaluation.expectErrors([
            ("flow.json.decode('{\\n\"a\": tru }')", "PG1020", "it goes wrong at byte 8, on line 2"),
            ("flow.json.decode('')", "PG1020", "it ends too early, at byte 1, on line 1"),
            ("flow.json.decode('[1,')", "PG1020", "it ends too early, at byte 4"),
            ("flow.json.decode('[1] x')", "PG1020", "byte 5"),
            ("flow.json.decode(('['):rep(100000))", "PG1020", "byte 201"),
            ("flow.json.decode(nil)", "PG1011", "flow.json.decode: `text` is nothing (nil)"),
            ("flow.json.encode(print)", "PG1020", "is a function"),
            ("flow.json.encode('\\xff')", "PG1020", "is not valid UTF-8"),
            ("flow.json.encode({}, { indent = 9 })", "PG1011", "from 1 to 8"),
            ("flow.json.encode({}, { ident = 2 })", "PG1005", "Did you mean `indent`?"),
        ])
        try await Evaluation.expect([
            ("select(2, pcall(flow.json.decode, '{\"a\"}')).position", 5)
        ])
    }

    @Test("reads a value at a path")
    func path() async throws {
        let deal =
            #"{ items = { { price = 5 }, { price = 7, ["unit.price"] = 9 } }, none = flow.json.null, no = false }"#
        try await Evaluation.expect([
            ("flow.json.get(\(deal), 'items[2].price')", 7),
            ("flow.json.get(\(deal), 'items[3].price')", nil),
            ("flow.json.get(\(deal), 'items[3].price', 0)", 0), ("flow.json.get(\(deal), 'none', 'x')", "x"),
            ("flow.json.get(\(deal), 'no', true)", false), ("flow.json.get(\(deal), 'no.more', 1)", 1),
            ("flow.json.get({ { 1, { 2 } } }, '[1][2][1]')", 2), ("flow.json.get(nil, 'a', 3)", 3),
            ("flow.json.get(\(deal), { 'items', 2, 'unit.price' })", 9), ("flow.json.get(4, '')", 4),
        ])
        try await Evaluation.expectErrors([
            ("flow.json.get({}, 'a..b')", "PG1011", "goes wrong at character 2"),
            ("flow.json.get({}, 'a[x]')", "PG1011", "goes wrong at character 2"),
            ("flow.json.get({}, 'a.')", "PG1011", "items[1].price"),
            ("flow.json.get({}, 5)", "PG1011", "flow.json.get: `path` is a number"),
        ])
    }

    @Test("merges and compares")
    func wholes() async throws {
        try await Evaluation.expect([
            (
                "flow.json.merge({ a = { x = 1, y = 2 }, l = { 1, 2 } }, { a = { y = 3 }, l = { 9 } }, { b = 4 })",
                ["a": ["x": 1, "y": 3], "l": [9], "b": 4]
            ),
            ("flow.json.merge({ a = 1, b = 2 }, { a = flow.json.null })", ["b": 2]),
            ("flow.json.merge()", [:]),
            (
                "(function() local t = { a = { 1 } } flow.json.merge(t, { a = { b = 1 } }) return t end)()",
                ["a": [1]]
            ),
            ("flow.json.equal({ a = { 1, { b = 2.0 } } }, { a = { 1, { b = 2 } } })", true),
            ("flow.json.equal({ 1 }, { 1, 2 })", false), ("flow.json.equal({ 1, 2 }, { 1 })", false),
            ("flow.json.equal({ a = false }, {})", false), ("flow.json.equal('1', 1)", false),
        ])
        let circle = "(function() local t = {} t.t = t return t end)()"
        try await Evaluation.expectErrors([
            ("flow.json.merge(\(circle))", "PG1020", "contains itself"),
            ("flow.json.equal(\(circle), \(circle))", "PG1020", "contains itself"),
            ("flow.json.merge({}, 5)", "PG1011", "flow.json.merge: `argument 2` is a number"),
        ])
    }

    @Test("names the nearest function where one does not exist, and takes no new one")
    func names() async throws {
        try await Evaluation.expectErrors([
            ("flow.json.decod('1')", "PG1003", "Did you mean `flow.json.decode`?"),
            ("flow.jsn.decode('1')", "PG1003", "Did you mean `flow.json`?"),
            ("flow.csv.xyzzyx", "PG1003", "There is: decode, encode."),
            ("flow.list.gruop_by", "PG1003", "`flow.list.group_by`"),
            ("flow.text.triim", "PG1003", "`flow.text.trim`"), ("flow.time.ad", "PG1003", "`flow.time.add`"),
            ("(function() flow.text.mine = 1 end)()", "PG1004", "`flow.text` can't be changed"),
        ])
    }

    @Test("is there while the script is loaded, as all pure functions are")
    func loading() async throws {
        let top = """
            local codes = flow.list.map(flow.csv.decode("code\\nab\\ncd"), function(row) return flow.text.upper(row.code) end)
            local found = flow.text.match("v12", [[\\d+]])
            local day = flow.time.weekday("2026-09-21", "UTC")

            """
        let test = try TestHost(scripts: ["top.lua": top + script("return { codes, found, day }")])
        try await test.run { test in
            let run = try await test.end(try await test.begin("top").id)
            #expect(run.result == [["AB", "CD"], "12", "Monday"])
        }
    }
}
