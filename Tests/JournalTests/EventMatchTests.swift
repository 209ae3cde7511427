import PerigeeJournal
import Testing

@Suite struct EventMatchTests {
    private static let data: JSON = [
        "amount": 100, "rate": 2.5, "name": "Ada", "flag": true, "none": nil, "tags": ["a"],
        "company": ["size": 20, "address": ["city": "Wien"]], "big": .int(9_007_199_254_740_993),
        "at": "2026-11-20T00:00:00Z", "date": "2026-11-18", "soon": "2026-11-24T00:00:00+00:00",
    ]
    private let now = Timestamp(rfc3339: "2026-11-21T00:00:00Z") ?? Timestamp(milliseconds: 0)

    @Test(
        arguments: [
            [:], ["amount": 100], ["amount": 100.0], ["rate": 2.5], ["name": "Ada", "flag": true],
            ["none": nil],
            ["missing": nil], ["amount": [1, 100]], ["tags": ["ne": "a"]], ["company.size": ["gte": 20]],
            ["company.address.city": ["Graz", "Wien"]],
            ["amount": ["gt": 99.5, "lt": 101, "lte": 100, "gte": 100]],
            ["amount": ["ne": 99]], ["amount": ["ne": [98, 99]]], ["missing": ["ne": 1]],
            ["name": ["prefix": "A"]],
            ["name": ["gt": "Abc", "lt": "Adb"]], ["name": ["exists": true]], ["missing": ["exists": false]],
            ["none": ["exists": false]], ["big": ["gt": .double(9_007_199_254_740_992)]],
            ["at": ["within": "7d"]], ["soon": ["within": "P3D"]], ["date": ["older_than": "48h"]],
            ["at": ["older_than": "23h", "within": "24h"]],
        ] as [[String: JSON]])
    func `matches`(conditions: [String: JSON]) throws {
        #expect(try EventMatch(parsing: .object(conditions)).matches(Self.data, now: now))
        #expect(EventMatch(conditions).matches(Self.data, now: now))
        let keys = try #require(EventMatch.indexKeys(of: Self.data))
        #expect(keys.contains(EventMatch(conditions).indexKey), "an index would hide it")
    }

    @Test(
        arguments: [
            ["amount": 101], ["amount": "100"], ["flag": "true"], ["flag": 1], ["name": "ada"],
            ["missing": 1],
            ["amount": nil], ["amount": [1, 2]], ["company.size": ["gt": 20]], ["company.size.x": 1],
            ["name.x": "A"],
            ["amount": ["gt": 1, "lt": 50]], ["amount": ["ne": 100.0]], ["amount": ["ne": [1, 100]]],
            ["name": ["prefix": "a"]], ["amount": ["prefix": "1"]], ["name": ["gt": 1]],
            ["missing": ["gt": 1]],
            ["missing": ["lt": 1]], ["name": ["exists": false]], ["missing": ["exists": true]],
            ["none": ["exists": true]], ["big": ["lte": .double(9_007_199_254_740_992)]],
            ["at": ["within": "23h"]], ["soon": ["within": "71h"]], ["at": ["older_than": "1d"]],
            ["name": ["within": "1d"]], ["amount": ["older_than": "1d"]], ["amount": 100, "name": "Bob"],
        ] as [[String: JSON]])
    func `does not match`(conditions: [String: JSON]) throws {
        #expect(try !EventMatch(parsing: .object(conditions)).matches(Self.data, now: now))
    }

    @Test(
        arguments: [
            (["amount": ["gtt": 1]], ["amount: there is no operator \"gtt\"; did you mean \"gt\"?"]),
            (
                ["amount": ["between": 1]],
                [
                    "amount: there is no operator \"between\"; there are gt, gte, lt, lte, ne, exists, prefix, "
                        + "within, older_than"
                ]
            ),
            (
                ["at": ["within": "7 days"]],
                [
                    "at: within: \"7 days\" is not a duration; write \"90s\", \"48h\", \"7d\" or \"1h30m\""
                ]
            ),
            (["at": ["older_than": 7]], ["at: older_than needs a duration such as \"7d\", not a number"]),
            (["a": ["exists": 1]], ["a: exists needs true or false, not a number"]),
            (["a": ["prefix": 1]], ["a: prefix needs text, not a number"]),
            (["a": ["gt": true]], ["a: gt needs a number or text, not true or false"]),
            (["a": [:]], ["a: a table of operators is empty"]),
            (["a": []], ["a: a list needs at least one value"]),
            (["a": [[1]]], ["a: a list takes plain values, not a list"]),
            (["a..b": 1], ["\"a..b\" is not a field: a part of it is empty"]),
            (
                ["a": ["gt": nil, "lt": []], "b": ["x": 1]],
                [
                    "a: gt needs a number or text, not null", "a: lt needs a number or text, not a list",
                    "b: there is no operator \"x\"; there are gt, gte, lt, lte, ne, exists, prefix, within, older_than",
                ]
            ),
            (7, ["a match is a table of conditions by field, not a number"]),
        ] as [(JSON, [String])])
    func `every fault is named`(table: JSON, faults: [String]) throws {
        let error = #expect(throws: EventMatchError.self) { try EventMatch(parsing: table) }
        #expect(try #require(error).faults == faults)
    }

    @Test func `a faulty condition that was not checked never holds`() {
        #expect(!EventMatch(["amount": ["gtt": 1]]).matches(Self.data, now: now))
    }

    @Test func `index keys are equalities of top-level values`() {
        #expect(EventMatch(["a": ["gt": 1], "b": 2, "c": "x"]).indexKey == "b=2")
        #expect(EventMatch(["c": "x"]).indexKey == #"c="x""#)
        #expect(EventMatch(["b": .double(2)]).indexKey == "b=2")
        #expect(EventMatch(["a.b": 1, "n": nil, "l": [1]]).indexKey == "")
        #expect(EventMatch(["s": .string(String(repeating: "x", count: 300))]).indexKey == "")
        #expect(EventMatch.indexKeys(of: ["b": 2.0, "d": [:]])?.sorted() == ["", "b=2"])
        #expect(EventMatch.indexKeys(of: 7) == [""])
        let wide = JSON.object(Dictionary(uniqueKeysWithValues: (0..<256).map { ("f\($0)", 1) }))
        #expect(EventMatch.indexKeys(of: wide) == nil)
    }
}
