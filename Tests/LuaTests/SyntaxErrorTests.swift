import PerigeeLua
import Testing

struct SyntaxErrorTests {
    @Test(arguments: [
        ("x", 1, "syntax error", "<eof>"),
        ("local x = 1\nx foo", 2, "syntax error", "'foo'"),
        ("x.y foo", 1, "syntax error", "'foo'"),
        ("local x = 'abc\nend", 1, "unfinished string", "''abc'"),
        ("local x = [[abc\n\n", 3, "unfinished long string (starting at line 1)", "<eof>"),
        ("if true then\n x = 1\n", 3, "'end' expected (to close 'if' at line 1)", "<eof>"),
        ("x, y foo", 1, "'=' expected", "'foo'"),
        ("for i = 1 do end", 1, "',' expected", "'do'"),
        ("return 'a near b\n", 1, "unfinished string", "''a near b'"),
        ("\n\ngoto nowhere", 3, "no visible label 'nowhere' for <goto> at line 3", nil),
        ("break", 1, "break outside loop at line 1", nil),
        ("local x <const> = 1 x = 2", 1, "attempt to assign to const variable 'x'", nil),
        ("\u{1B}Lua", 0, "attempt to load a binary chunk (mode is 't')", nil),
        ("x = 'ä' ö", 1, "unexpected symbol", "'<\\195>'"),
    ])
    func `a syntax error has its line, its reason and what stands there`(
        source: String, line: Int, message: String, near: String?
    ) throws {
        let error = #expect(throws: LuaSyntaxError.self) {
            try LuaChunk.compile(source, name: "lead_routing.lua")
        }
        #expect(
            error?.line == line && error?.message == message && error?.near == near,
            "\(String(describing: error))")
    }

    @Test(arguments: [59, 60, 100])
    func `a long name does not hide the line`(length: Int) throws {
        let name = String(repeating: "n", count: length)
        let error = #expect(throws: LuaSyntaxError.self) { try LuaChunk.compile("\nx, y foo", name: name) }
        #expect(error?.line == 2 && error?.message == "'=' expected")
    }

    @Test func `a text with a zero byte is text like any other`() throws {
        #expect(throws: LuaSyntaxError.self) { try LuaChunk.compile("return 1 \0 2", name: "test.lua") }
    }
}
