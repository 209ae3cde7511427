import PerigeeJournal
import Testing

@Suite struct JSONTests {
    @Test(
        arguments: [
            ("null", JSON.null), (" true ", true), ("false", false), ("0", 0), ("-0", 0), ("-12", -12),
            ("1.5", 1.5), ("1.0", .double(1)), ("1e3", .double(1000)), ("2E-1", 0.2), ("-1.25e+2", -125.0),
            ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
            ("9223372036854775808", .double(9_223_372_036_854_775_808)), ("\"\"", ""), ("[]", []),
            ("{}", [:]),
            (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{C}\n\r\t"), (#""\u00e9\u20AC""#, "é€"),
            (#""\uD83D\uDE00""#, "😀"), ("\"é😀\"", "é😀"), (#""\u0000""#, "\u{0}"),
            ("[1,[2,{\"a\":null}]]", [1, [2, ["a": nil]]]),
            ("{\"a\" : 1 , \"\" : [ ] }", ["a": 1, "": []]), ("\t\r\n 1 \n", 1),
        ] as [(String, JSON)])
    func `valid texts`(text: String, expected: JSON) throws {
        #expect(try JSON(parsing: text.utf8) == expected)
    }

    @Test(
        arguments: [
            ("", 0), (" ", 1), ("nul", 0), ("True", 0), ("+1", 0), ("01", 1), ("-", 1), ("1.", 2), (".5", 0),
            ("1e", 2), ("1e+", 3), ("1e999", 0), ("NaN", 0), ("Infinity", 0), ("0x1", 1), ("[1,]", 3),
            ("[1", 2),
            ("[,1]", 1), ("{\"a\"}", 4), ("{\"a\":}", 5), ("{\"a\":1,}", 7), ("{a:1}", 1), ("{'a':1}", 1),
            ("'a'", 0),
            ("1 2", 2), ("{\"a\":1,\"a\":2}", 7), ("\"a", 0), ("\"\u{1}\"", 1), ("\"\n\"", 1), (#""\x""#, 2),
            (#""\u12g4""#, 3), (#""\u12"#, 3), (#""\uD800""#, 7), (#""\uD800\n""#, 8), (#""\uDC00""#, 7),
            (#""\uD800\uD800""#, 13), ("// c\n1", 0), ("[1]]", 3), ("\u{FEFF}1", 0),
        ] as [(String, Int)])
    func `invalid texts name the place`(text: String, offset: Int) throws {
        let error = #expect(throws: JSONError.self) { try JSON(parsing: text.utf8) }
        #expect(try #require(error).offset == offset, "\(error?.description ?? "")")
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xC3, 0x22],
            [0xFF],
        ] as [[UInt8]])
    func `what is not UTF-8 is refused`(bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try JSON(parsing: bytes) }
    }

    @Test func `nesting is bounded`() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try JSON(parsing: nested(64).utf8) }
        #expect(throws: JSONError.self) { try JSON(parsing: nested(65).utf8) }
        #expect(throws: JSONError.self) { try JSON(parsing: nested(100_000).utf8) }
        #expect(throws: JSONError.self) { try JSON(parsing: #"{"a":{"b":1}}"#.utf8, maxDepth: 1) }
    }

    @Test(
        arguments: [
            (["b": 1, "a": [true, nil], "": "x"] as JSON, #"{"":"x","a":[true,null],"b":1}"#),
            (.double(1), "1"), (.double(-0.0), "0"), (2.5, "2.5"), (.double(.infinity), "null"),
            (.double(.nan), "null"),
            (.double(1e300), "1e+300"), (.int(.min), "-9223372036854775808"),
            ("\u{1}\u{1F}\"\\\n\u{7F}é", "\"\\u0001\\u001f\\\"\\\\\\n\u{7F}é\""),
        ] as [(JSON, String)])
    func `equal values give equal bytes`(value: JSON, text: String) throws {
        #expect(value.text == text)
        #expect(try JSON(parsing: value.bytes).text == text)
    }
}
