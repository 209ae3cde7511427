import PerigeeLua
import Testing

struct GlobalNameTests {
    private func uses(_ source: String) throws -> [String] {
        try LuaChunk.compile(source, name: "test.lua").globals
            .sorted {
                ($0.line, $0.name, $0.isAssignment ? 1 : 0) < ($1.line, $1.name, $1.isAssignment ? 1 : 0)
            }
            .map { "\($0.line) \($0.name)\($0.isAssignment ? "=" : "")" }
    }

    @Test(
        arguments: [
            ("return x", ["1 x"]), ("x = 1", ["1 x="]), ("x = x", ["1 x", "1 x="]),
            ("x.y = z.w", ["1 x", "1 z"]),
            ("function f() end", ["1 f="]), ("function t.f() end", ["1 t"]), ("local a = 1\nreturn a", []),
            ("local a\n\nb = a\n\n\nc()", ["3 b=", "6 c"]), ("a, b = b, a", ["1 a", "1 a=", "1 b", "1 b="]),
            ("return function()\n return function()\n  deep()\n end\nend", ["3 deep"]),
            ("local f = function(p) return p + q end", ["1 q"]),
            ("for i = n, 2 do print(i) end", ["1 n", "1 print"]),
            ("for k in pairs(t) do end", ["1 pairs", "1 t"]), ("local x <const> = 5 return x", []),
            ("if a and b or c then end", ["1 a", "1 b", "1 c"]),
            (
                "return a == nil, not b, #c, -d, a .. b",
                ["1 a", "1 a", "1 b", "1 b", "1 c", "1 d"]
            ), ("goto e ::e:: return _VERSION", ["1 _VERSION"]),
            ("return t.x, t['y'], ('s'):upper()", ["1 t", "1 t"]), ("local _ENV = {} x = 1 return y", []),
            ("return _ENV.x", ["1 x"]), ("", []),
        ])
    func `the globals of a chunk are found with their lines`(source: String, expected: [String]) throws {
        #expect(try uses(source) == expected)
    }

    @Test func `globals are found in a chunk with more constants than an instruction can number`() throws {
        let many = (1...400).map { "t['k\($0)'] = 'v\($0)'" }.joined(separator: "\n")
        let source = """
            local t = {}
            \(many)
            first = 1
            second(third, fourth.field)
            fifth = fifth .. t.x
            local f = function() inner = outer end
            sixth, seventh = a and b or c
            """
        #expect(
            try uses(source) == [
                "402 first=", "403 fourth", "403 second", "403 third", "404 fifth", "404 fifth=",
                "405 inner=",
                "405 outer", "406 a", "406 b", "406 c", "406 seventh=", "406 sixth=",
            ])
    }

    @Test func `globals are found beyond the largest constant of a load instruction`() throws {
        let many = (0..<140).map { line in
            "t = {" + (0..<1000).map { "\(line * 1000 + $0).5" }.joined(separator: ",") + "}"
        }
        let source = "local t\n" + many.joined(separator: "\n") + "\nlast = reader"
        #expect(try uses(source) == ["142 last=", "142 reader"])
    }

    @Test func `a global with a long name is found`() throws {
        let name = String(repeating: "n", count: 60)
        #expect(try uses("\(name) = 1\nreturn \(name)") == ["1 \(name)=", "2 \(name)"])
    }

    @Test func `lines are right over long gaps`() throws {
        let gap = String(repeating: "\n", count: 500)
        let body = (1...300).map { "local v\($0 % 100)_\($0) = 1 do end\n" }.prefix(150).joined()
        #expect(try uses("a()\(gap)b()\n\(body)c()") == ["1 a", "501 b", "652 c"])
    }
}
