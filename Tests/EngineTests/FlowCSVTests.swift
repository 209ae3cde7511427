import Perigee
import PerigeeJournal
import Testing

@Suite("flow.csv", .timeLimit(.minutes(5)))
struct FlowCSVTests {
    @Test("reads rows by the names of their columns, or as lists")
    func decode() async throws {
        try await Evaluation.expect([
            (
                #"flow.csv.decode("id,name\n1,Ana\n2,Bo")"#,
                [["id": "1", "name": "Ana"], ["id": "2", "name": "Bo"]]
            ),
            (
                #"flow.csv.decode("\u{FEFF}id;name\r\n1;\"A;\"\"B\"\"\r\nC\"\r\n", { separator = ";" })"#,
                [["id": "1", "name": "A;\"B\"\r\nC"]]
            ),
            (
                #"flow.csv.decode("a,b,\n,,\n\n\"\",x,\"\"", { header = false })"#,
                [["a", "b", ""], ["", "", ""], ["", "x", ""]]
            ),
            (#"flow.csv.decode("a\r1\r2", { header = false })"#, [["a"], ["1"], ["2"]]),
            (#"flow.csv.decode("a\n\"\"\n\n")"#, [["a": ""]]),
            (#"flow.csv.decode("a\tb\n1\t2", { separator = "\t" })[1].b"#, "2"),
            (#"flow.csv.decode("")"#, []), (#"flow.csv.decode("a,b\n")"#, []),
            (#"flow.csv.decode("", { header = false })"#, []),
            (#"#flow.csv.decode("n\n\xff\n")[1].n"#, 1),
        ])
    }

    @Test("names the line of what is wrong")
    func wrong() async throws {
        try await Evaluation.expectErrors([
            (
                #"flow.csv.decode("a,b\n1,2\n\"x\ny\",2\n1")"#, "PG1073",
                "line 5: there are 1 cells, and 2 in the header"
            ),
            (#"flow.csv.decode("a\n\n1\"2")"#, "PG1073", "line 3: a quotation mark stands in the middle"),
            (
                #"flow.csv.decode("a\n\"b\nc")"#, "PG1073",
                "line 2: a quotation mark is opened here and never closed"
            ),
            (
                #"flow.csv.decode("a\n\"b\"c\n")"#, "PG1073",
                "line 2: text stands after a closing quotation mark"
            ),
            (#"flow.csv.decode("a,b,a\n")"#, "PG1073", "line 1: the column \"a\" is there twice"),
            ("flow.csv.decode()", "PG1011", "flow.csv.decode: `text` is nothing (nil)"),
            (#"flow.csv.decode("a", { separator = "" })"#, "PG1011", "`separator` is one character"),
            (#"flow.csv.decode("a", { separator = "\"" })"#, "PG1011", "`separator` is one character"),
            (#"flow.csv.decode("a", { seperator = ";" })"#, "PG1005", "Did you mean `separator`?"),
        ])
        try await Evaluation.expect([
            (#"select(2, pcall(flow.csv.decode, "a\n1\n2,3")).line_number"#, 3)
        ])
    }

    @Test("writes rows, and reads them again as they were")
    func encode() async throws {
        try await Evaluation.expect([
            (
                #"flow.csv.encode({ { id = 1, name = "A, B" }, { id = 2.0, note = "x\ny" } })"#,
                "id,name,note\r\n1,\"A, B\",\r\n2,,\"x\ny\"\r\n"
            ),
            (
                #"flow.csv.encode({ { b = true, a = 0.1 } }, { columns = { "b", "a", "c" }, separator = ";" })"#,
                "b;a;c\r\ntrue;0.1;\r\n"
            ),
            (#"flow.csv.encode({ { a = 1 } }, { header = false })"#, "1\r\n"),
            (#"flow.csv.encode({ { 1, flow.json.null, "q\"q" }, { "" } })"#, "1,,\"q\"\"q\"\r\n\"\"\r\n"),
            (#"flow.csv.encode({})"#, ""), (#"flow.csv.encode({}, { columns = { "a" } })"#, "a\r\n"),
            (#"flow.csv.encode({ { 1, 2 } }, { columns = { "x", "y" } })"#, "x,y\r\n1,2\r\n"),
            (
                """
                (function()
                  local rows = { { "a\\"b", "", "\\r\\n" }, { ";", ",", " x " }, { "", "", "" } }
                  local text = flow.csv.encode(rows)
                  return flow.json.equal(flow.csv.decode(text, { header = false }), rows)
                end)()
                """, true
            ),
        ])
    }

    @Test("refuses rows that have no place in a table")
    func unfit() async throws {
        try await Evaluation.expectErrors([
            ("flow.csv.encode({ { a = 1 }, { a = {} } })", "PG1074", "row 2, column a is a table"),
            ("flow.csv.encode({ { a = 0/0 } })", "PG1074", "is no real number"),
            ("flow.csv.encode({ { a = 1 }, { 1 } })", "PG1074", "row 2"),
            ("flow.csv.encode({ { 1 }, { a = 1 } })", "PG1074", "row 2 has another shape"),
            ("flow.csv.encode({ 5 })", "PG1074", "row 1 is a number"),
            ("flow.csv.encode('a')", "PG1011", "flow.csv.encode: `rows` is text"),
            ("flow.csv.encode({}, { columns = { 1 } })", "PG1011", "`columns` is a number"),
        ])
    }

    @Test("reads a large text within the limits of a run")
    func large() async throws {
        let rows = #"flow.csv.decode("a,b\n" .. ("1,\"x\"\"y\"\n"):rep(20000))"#
        try await Evaluation.expect([
            ("#\(rows)", 20000), (#"select(2, pcall(flow.csv.decode, ("\""):rep(400001))).code"#, "PG1073"),
        ])
    }
}
