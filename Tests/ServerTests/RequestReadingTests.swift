import Perigee
import PerigeeJournal
import Testing

@testable import PerigeeServer

struct RequestReadingTests {
    @Test(arguments: [
        ("\"8e03978e-40d5\"", "8e03978e-40d5"), ("8e03978e", "8e03978e"), (" \"a b\" ", "a b"),
        (#""a\"b\\c""#, #"a"b\c"#), ("\"a\";p=1", "a"), ("key-of-stripe_1", "key-of-stripe_1"),
    ])
    func `an idempotency key is read in quotes or bare`(header: String, key: String) throws {
        #expect(try idempotencyKey(header) == key)
    }

    @Test(arguments: [
        "", "\"\"", "\"open", "\"a\"b", "\"a\\x\"", "schlüssel", String(repeating: "k", count: 256),
    ])
    func `an unusable idempotency key is refused`(header: String) {
        #expect(throws: Problem.self) { try idempotencyKey(header) }
    }

    @Test func `no header is no key`() throws {
        #expect(try idempotencyKey(nil) == nil)
    }

    @Test(
        arguments: [
            ("wait=10", 10), ("respond-async, wait=10", 10), ("Wait = \"5\"; x=1", 5), ("wait=9999", 60),
            ("wait=0", 0),
            ("wait", nil), ("wait=soon", nil), ("wait=-1", nil), ("return=minimal", nil), ("", nil),
            (nil, nil),
        ] as [(String?, Int?)])
    func `the time that a caller waits is read and bounded`(header: String?, seconds: Int?) {
        #expect(waitPreference(header) == seconds)
    }

    @Test func `a form gives back what it was made of`() {
        var random = SystemRandomNumberGenerator()
        let seed = UInt64.random(in: 0 ... .max, using: &random)
        var numbers = SplitMix(state: seed)
        for _ in 0..<200 {
            let fields = (0..<Int.random(in: 1...4, using: &numbers)).map { _ in
                (randomText(using: &numbers), randomText(using: &numbers))
            }
            let text = fields.map { "\(percentEncoded($0.0))=\(percentEncoded($0.1))" }.joined(separator: "&")
            let form = FormFields(text)
            #expect(form?.fields.map(\.name) == fields.map(\.0), "seed \(seed)")
            #expect(form?.fields.map(\.value) == fields.map(\.1), "seed \(seed)")
        }
    }

    @Test func `plus is a space in a form, and only there`() {
        #expect(FormFields("q=status%3Afailed+key%3A%22a+b%22")?["q"] == "status:failed key:\"a b\"")
        #expect(percentDecoded("a+b") == "a+b")
        #expect(FormFields("a&b=&=c")?.fields.map(\.name) == ["a", "b", ""])
    }

    @Test(arguments: ["%", "%4", "%zz", "%ff", "a=%C3"])
    func `a broken escape is no text`(text: String) {
        #expect(FormFields(text) == nil)
    }

    @Test func `form fields are an object, with a list where a name stands twice`() throws {
        let form = try #require(FormFields("a=1&b=2&a=3"))
        #expect(HooksRoutes.object(form) == ["a": ["1", "3"], "b": "2"])
    }

    @Test func `a run to start has an input and a key, and nothing else`() throws {
        let start = try NewStartReader.read(#"{"input":[1],"key":"k"}"#)
        #expect(start.input == [1] && start.key == "k")
        #expect(try NewStartReader.read("{}").input == .object([:]))
        let faults: [(String, String)] = [
            (#"{"inputs":1}"#, "/3/inputs"), (#"{"key":7}"#, "/3/key"), (#"{"key":""}"#, "/3/key"),
            ("[]", "/3"),
        ]
        for (text, pointer) in faults {
            let error = #expect(throws: Problem.self) { _ = try NewStartReader.read(text, at: "/3") }
            #expect(error?.faults.first?.pointer == pointer)
        }
    }

    @Test(arguments: ["0", "501", "ten", "-1", "1.5"])
    func `a number out of bounds is refused`(text: String) {
        #expect(throws: Problem.self) { try boundedInteger(text, name: "limit", in: 1...500, or: 50) }
    }

    @Test func `a number within bounds, or none, is taken`() throws {
        #expect(try boundedInteger("500", name: "limit", in: 1...500, or: 50) == 500)
        #expect(try boundedInteger(nil, name: "limit", in: 1...500, or: 50) == 50)
        #expect(try boundedInteger("", name: "limit", in: 1...500, or: 50) == 50)
    }

    @Test(arguments: [
        ("stats", "status"), ("worfklow", "workflow"), ("kye", "key"), ("colour", nil), ("", nil),
    ])
    func `the word that was meant is found`(word: String, meant: String?) {
        #expect(NearestName.of(word, among: RunSearch.keys) == meant)
    }
}

private enum NewStartReader {
    static func read(_ text: String, at pointer: String = "") throws -> (input: JSON, key: String?) {
        let start = try NewStart(workflow: "w", json: try JSON(parsing: text.utf8), at: pointer)
        return (start.input, start.key)
    }
}
