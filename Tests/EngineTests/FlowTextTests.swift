import Perigee
import PerigeeJournal
import Testing

@Suite("flow.text", .timeLimit(.minutes(5)))
struct FlowTextTests {
    @Test("trims, cuts, fills and changes text by its characters")
    func shapes() async throws {
        try await Evaluation.expect([
            (#"flow.text.trim(" \t\u{A0}a b\u{FEFF}\n\u{202F}")"#, "a b"), ("flow.text.trim('')", ""),
            (#"flow.text.trim(" \u{A0} ")"#, ""), (#"flow.text.trim("\xA0é\xC2")== "\xA0é\xC2""#, true),
            ("flow.text.lower('ÀÉİ Straße')", "àéi̇ straße"), ("flow.text.upper('àé straße')", "ÀÉ STRASSE"),
            ("flow.text.length('añ€😀')", 4), ("flow.text.length('')", 0),
            ("flow.text.truncate('añ€😀b', 4)", "añ€…"), ("flow.text.truncate('añ€😀', 4)", "añ€😀"),
            ("flow.text.truncate('añ€😀b', 3, '')", "añ€"), ("flow.text.truncate('abc', 0, '')", ""),
            ("flow.text.pad_start('é7', 4, '0')", "00é7"), ("flow.text.pad_end('é', 3) .. '|'", "é  |"),
            ("flow.text.pad_start('long', 2)", "long"), ("flow.text.replace('a.b.c', '.', '%1')", "a%1b%1c"),
            ("flow.text.split('a,b,,c', ',')", ["a", "b", "", "c"]), ("flow.text.split('', ', ')", [""]),
            ("flow.text.split('a->b', '->')", ["a", "b"]), ("flow.text.starts_with('abc', 'ab')", true),
            ("flow.text.starts_with('a', 'ab')", false), ("flow.text.ends_with('abc', 'bc')", true),
            ("flow.text.ends_with('abc', '')", true), ("flow.text.ends_with('c', 'bc')", false),
            ("flow.text.contains('a.c', '.')", true), ("flow.text.contains('abc', '.')", false),
        ])
    }

    @Test("writes text and numbers for other readers")
    func forms() async throws {
        try await Evaluation.expect([
            ("flow.text.slug(' Déjà Vu: Gmb&H & Søn, Straße 7! ')", "deja-vu-gmb-h-son-strasse-7"),
            ("flow.text.slug('東京 Ł')", "東京-l"), ("flow.text.slug('--')", ""),
            ("flow.text.number(1234567.891, 2)", "1,234,567.89"), ("flow.text.number(-1000)", "-1,000"),
            ("flow.text.number(999, 2, { thousands = '.', decimal = ',' })", "999,00"),
            ("flow.text.number(-0.001, 2)", "0.00"), ("flow.text.number(0.5)", "0"),
            ("flow.text.number(9007199254740993, 1)", "9,007,199,254,740,993.0"),
            ("flow.text.base64_encode('Hällo?>')", "SMOkbGxvPz4="),
            (#"flow.text.base64_encode("\xff\xfe", { url = true })"#, "__4"),
            ("flow.text.base64_encode('')", ""),
            (#"flow.text.base64_decode("SMOkbG\nxvPz4=")"#, "Hällo?>"),
            (#"flow.text.base64_decode("__4") == "\xff\xfe""#, true), ("flow.text.base64_decode('')", ""),
            (
                #"(function() for n = 0, 40 do local s = ("\xFBx\0"):rep(14):sub(1, n)"#
                    + " assert(flow.text.base64_decode(flow.text.base64_encode(s)) == s) end return true end)()",
                true
            ),
            ("flow.text.sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                #"flow.text.sha256("\xff")"#,
                "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89"
            ),
            ("flow.text.sha256('')", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("flow.text.url_encode('a b&ü/~.-_')", "a%20b%26%C3%BC%2F~.-_"),
            ("flow.text.url_decode('a%20b%26%c3%bc+')", "a b&ü+"),
        ])
    }

    @Test("says what can't be done with a text")
    func wrong() async throws {
        try await Evaluation.expectErrors([
            ("flow.text.trim()", "PG1011", "flow.text.trim: `text` is nothing (nil); it should be text."),
            ("flow.text.trim(secret 'TOKEN')", "PG1011", "is a handle"),
            (#"flow.text.lower("ab\xff")"#, "PG1072", "flow.text.lower: the text is no UTF-8 from byte 3 on"),
            (#"flow.text.truncate("\xed\xa0\x80", 5)"#, "PG1072", "from byte 1 on"),
            (#"flow.text.match("\xff", "a")"#, "PG1072", "flow.text.match: the text is no UTF-8"),
            (#"flow.text.match("a", "\xff")"#, "PG1072", "flow.text.match: the pattern is no UTF-8"),
            ("flow.text.truncate('abc', 0)", "PG1011", "no room for the ending"),
            ("flow.text.split('a', '')", "PG1011", "the separator is empty"),
            ("flow.text.replace('a', '', 'b')", "PG1011", "what to replace is empty"),
            ("flow.text.pad_end('a', 3, 'xy')", "PG1011", "not one character"),
            ("flow.text.number(1, 16)", "PG1011", "16 decimals are not possible"),
            ("flow.text.number(0/0)", "PG1011", "no real number"),
            ("flow.text.base64_decode('ab!d')", "PG1077", "no Base64 at character 3"),
            ("flow.text.base64_decode('abcde')", "PG1077", "cut off"),
            ("flow.text.url_decode('%4')", "PG1077", "at character 1"),
            ("flow.text.url_decode('a%zz')", "PG1077", "at character 2"),
            ("flow.text.lower(('a'):rep(2000000))", "PG1020", "larger than 1024 KiB"),
        ])
    }

    @Test("finds what a regular expression matches")
    func matches() async throws {
        try await Evaluation.expect([
            (#"flow.text.match("order 4711", [[\d+]])"#, "4711"), (#"flow.text.match("order", "\\d+")"#, nil),
            (#"flow.text.match("ana@acme.example", [[(\w+)@([\w.]+)]])"#, ["ana", "acme.example"]),
            (
                #"flow.text.match("2026-09", [[(?P<year>\d+)-(?P<month>\d+)]])"#,
                ["year": "2026", "month": "09"]
            ),
            (#"flow.text.match("ab", "(a)|(x)")"#, ["a", ""]),
            (#"flow.text.match("ab", "(?P<a>a)|(?P<x>x)").x"#, nil),
            ("flow.text.match('', 'x*')", ""), ("flow.text.match('abc', '')", ""),
            ("flow.text.match('', 'a')", nil),
            (#"flow.text.match("über €5", "€(\\d)")"#, ["5"]), ("flow.text.match('ÉA', '(?i)é')", "É"),
            (#"flow.text.match_all("a1b22", [[\d+]])"#, ["1", "22"]), ("flow.text.match_all('x', 'y')", []),
            (
                #"flow.text.match_all("k=v, a=b", [[(?P<k>\w)=(?P<v>\w)]])"#,
                [["k": "k", "v": "v"], ["k": "a", "v": "b"]]
            ),
            ("flow.text.match_all('aab', 'a*')", ["aa", ""]), ("flow.text.match_all('aaa', '^a')", ["a"]),
            ("flow.text.match_all('é€', '')", ["", "", ""]),
            (#"flow.text.match_all("ab ab", [[\bab]])"#, ["ab", "ab"]),
            ("flow.text.test('abc', 'b.')", true), ("flow.text.test('abc', 'c.')", false),
        ])
    }

    @Test("replaces what a regular expression matches")
    func replaces() async throws {
        try await Evaluation.expect([
            (
                #"flow.text.replace_all("John Smith", [[(\w+) (\w+)]], "$2, $1 ($0) $$1")"#,
                "Smith, John (John Smith) $1"
            ),
            (
                #"flow.text.replace_all("2026-09", [[(?P<y>\d+)-(?P<m>\d+)]], "${m}/${y} ${1}")"#,
                "09/2026 2026"
            ),
            ("flow.text.replace_all('abc', 'x*', '-')", "-a-b-c-"),
            ("flow.text.replace_all('axb', 'x*', '-')", "-a-b-"),
            ("flow.text.replace_all('', '^', '>')", ">"),
            ("flow.text.replace_all('aé€', '', '.')", ".a.é.€."),
            ("flow.text.replace_all('a1b2', '[0-9]', function(d) return d * 2 end)", "a2b4"),
            ("flow.text.replace_all('a1b2', '[0-9]', function(d) if d == '1' then return '' end end)", "ab2"),
            ("flow.text.replace_all('k=v', '(.)=(.)', function(m) return m[2] .. m[1] end)", "vk"),
            ("flow.text.replace_all('ab', '(a)|(b)', '<$2>')", "<><b>"),
        ])
        try await Evaluation.expectErrors([
            ("flow.text.replace_all('a', 'a', '$1')", "PG1011", "has no group `1`"),
            ("flow.text.replace_all('a', 'a', '${x}')", "PG1011", "has no group `x`"),
            ("flow.text.replace_all('a', 'a', '$')", "PG1011", "$$ is a dollar sign"),
            ("flow.text.replace_all('a', 'a', function() return {} end)", "PG1011", "the function's result"),
            ("flow.text.replace_all('a', 'a')", "PG1011", "`replacement` is nothing"),
        ])
    }

    @Test("says what is wrong with a pattern, and where")
    func patterns() async throws {
        try await Evaluation.expectErrors([
            (
                "flow.text.match('a', '(a')", "PG1070",
                "flow.text.match: the pattern `(a` can't be used: missing )"
            ),
            ("flow.text.test('a', 'ab[z-a]')", "PG1070", "at `z-a`"),
            ("flow.text.match('a', 'a(?=b)')", "PG1070", "without look-around"),
            (#"flow.text.match("a", [[(a)\1]])"#, "PG1070", #"invalid escape sequence at `\1`"#),
            ("flow.text.match_all('a', 'a**')", "PG1070", "bad repetition operator"),
            ("flow.text.match('a', '((a{100}){100}){100}')", "PG1070", "can't be used"),
            (
                "flow.text.match('a', ('a'):rep(1001))", "PG1071",
                "the pattern has 1001 bytes, and 1000 are the most"
            ),
            (
                "flow.text.match(('a'):rep(500001), 'a')", "PG1071",
                "the text has 500001 bytes, and 500000 are the most"
            ),
            (
                "flow.text.match(('a'):rep(500000), '(a?){300}b')", "PG1071",
                "the pattern is too large for a text"
            ),
            ("flow.text.match(('a'):rep(100), nil)", "PG1011", "flow.text.match: `pattern` is nothing"),
        ])
        try await Evaluation.expect([
            ("select(2, pcall(flow.text.match, 'a', 'ab[z-a]')).position", 4),
            ("select(2, pcall(flow.text.match, 'a', 'ab[z-a]')).pattern", "ab[z-a]"),
        ])
    }

    @Test("takes steps in proportion to the text, whatever the pattern")
    func linear() async throws {
        let many = "('a'):rep(30000)"
        try await Evaluation.expect([
            ("flow.text.test(\(many), '^(a+)+$')", true),
            ("flow.text.test(\(many) .. 'b', '^(a+)+$')", false),
            ("flow.text.test(\(many) .. 'b', '^(a|a)*$')", false),
            ("flow.text.test(\(many) .. 'b', '^(a|aa)+$')", false),
            ("flow.text.match(\(many) .. '!', '(x+x+)+y')", nil),
            ("flow.text.match(\(many), '(.*a){20}b')", nil),
            ("#flow.text.match_all(\(many), 'a')", 30000),
            ("#flow.text.replace_all(\(many), 'a', 'bb')", 60000),
        ])
    }

    @Test("takes as many groups as a pattern can hold")
    func groups() async throws {
        let pattern = "('('):rep(490) .. 'a' .. (')'):rep(490)"
        try await Evaluation.expect([
            ("#flow.text.match('a', \(pattern))", 490),
            ("#flow.text.match_all(('a'):rep(300), \(pattern))", 300),
        ])
    }

    @Test("gives every match where the host finds them in several parts")
    func parts() async throws {
        // Each search goes over the rest of the text, so that no part holds them all.
        try await Evaluation.expect([
            ("#flow.text.match_all(('ab'):rep(10000), 'a(?:[^!]*!)?')", 10000),
            ("flow.text.replace_all(('ab'):rep(10001), 'a?', '') == ('b'):rep(10001)", true),
        ])
    }

    @Test("ends a run whose searches go over the text too often")
    func quadratic() async throws {
        let body = "return #flow.text.match_all(('ab'):rep(240000), 'a(?:[^!]*!)?')"
        let test = try TestHost(scripts: ["many.lua": script(body)])
        try await test.run { test in
            let run = try await test.end(try await test.begin("many").id)
            #expect(run.status == .attention && run.problem?["code"] == "PG1030")
        }
    }

    @Test("keeps only so many compiled patterns, and finds the same with each")
    func cache() async throws {
        try await Evaluation.expect([
            (
                "flow.list.all(flow.list.range(1, 200), function(n) return flow.text.test('x' .. n % 100, "
                    + "'^x' .. n % 100 .. '$') end)", true
            )
        ])
    }
}
