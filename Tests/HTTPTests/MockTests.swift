import Perigee
import PerigeeTesting
import Synchronization
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A folder of mock files that lasts for one test.
private struct MockDirectory: ~Copyable {
    let path = "\(FileManager.default.temporaryDirectory.path)/perigee-mocks-\(UUID().uuidString)"

    init(_ files: [String: String] = [:]) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, text) in files { try write(text, to: name) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: "\(path)/\(name)"))
    }
}

@Suite struct MockTests {
    @Test func `a mock answers with its status, data and headers`() async throws {
        let mocks = try MockDirectory([
            "crm.json":
                #"{"GET crm.example/c/42": {"status": 203, "json": {"a": 1}, "headers": {"X-A": "b"}}}"#
        ])
        let reply = try await MockTransport(folder: mocks.path).get(
            "https://CRM.example:443/c/42?full=1#top")
        #expect(reply.status == 203)
        #expect(reply.text == #"{"a":1}"#)
        #expect(reply.header("x-a") == "b")
        #expect(reply.header("Content-Type") == "application/json")
    }

    @Test func `a list answers by attempt, and its last reply repeats`() async throws {
        let mocks = try MockDirectory([
            "q.json": #"{"POST q.example/quotes": [{"status": 503}, {"status": 429}, {"status": 201}]}"#
        ])
        let transport = MockTransport(folder: mocks.path)
        var seen: [Int] = []
        for attempt in [1, 2, 3, 4, 1] {
            let request = HTTPRequest(method: "POST", url: "https://q.example/quotes", attempt: attempt)
            seen.append(try await transport.send(request).status)
        }
        #expect(seen == [503, 429, 201, 201, 503])
    }

    @Test(arguments: [
        ("https://a.example/x/1", "star"), ("https://a.example/x/exact", "exact"),
        ("https://b.example/x", "any"),
        ("https://a.example/x/1?who=ana", "query"), ("https://a.example/x/exact?who=bob", "exact"),
        ("http://b.example:8080/", "port"), ("https://a.example", "root"),
    ])
    func `the most specific pattern answers`(url: String, expected: String) async throws {
        let mocks = try MockDirectory([
            "a.json": """
            { "* *": {"text": "any"}, "GET a.example/x/*": {"text": "star"},
              "GET a.example/x/exact": {"text": "exact"},
              "GET a.example/x/1?who=ana*": {"text": "query"}, "* b.example:8080/*": {"text": "port"},
              "GET a.example": {"text": "root"}, "POST a.example/x/exact": {"text": "other method"} }
            """
        ])
        #expect(try await MockTransport(folder: mocks.path).get(url).text == expected)
    }

    @Test func `a saved, a new and a deleted file count from the next call on`() async throws {
        let mocks = try MockDirectory(["a.json": #"{"GET a.example/": {"text": "one"}}"#])
        let transport = MockTransport(folder: mocks.path)
        #expect(try await transport.get("https://a.example/").text == "one")
        try mocks.write(#"{"GET a.example/": {"text": "number two"}}"#, to: "a.json")
        #expect(try await transport.get("https://a.example/").text == "number two")
        try mocks.write(#"{"GET b.example/": {"text": "b"}}"#, to: "b.json")
        #expect(try await transport.get("https://b.example/").text == "b")
        try FileManager.default.removeItem(atPath: "\(mocks.path)/a.json")
        let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: "https://a.example/"))
        #expect(failure.code == "PG2010")
    }

    @Test func `a call that no mock answers names the line to add`() async throws {
        let mocks = try MockDirectory()
        let failure = try await MockTransport(folder: mocks.path).failure(
            of: HTTPRequest(method: "POST", url: "https://quotes.example/quotes?token=SECRET"))
        #expect(failure.kind == .rejected)
        #expect(failure.code == "PG2010")
        #expect(failure.message == "No mock answers POST quotes.example/quotes.")
        #expect(
            failure.hint == "Add this line to \(mocks.path)/quotes.json:  "
                + #""POST quotes.example/quotes": { "status": 200, "json": {} }"#)
    }

    @Test(arguments: [
        ("{\n  \"GET a.example/\": {\n}", "line 3 is not JSON", "Mend"),
        ("[]", "a list where an object", "Start with"),
        (#"{"GET": {}}"#, "is not a method, a space", "Mend"),
        (#"{"get a.example/": {}}"#, "starts with none of GET", "Mend"),
        (#"{"GET https://a.example/": {}}"#, "has a scheme", "Mend"),
        (#"{"GET a.example/": 5}"#, "a number where a reply", "A reply is"),
        (#"{"GET a.example/": []}"#, "empty list", "one reply"),
        (#"{"GET a.example/": {"staus": 200}}"#, "unknown field \"staus\"", "Did you mean \"status\"?"),
        (#"{"GET a.example/": {"wibble": 200}}"#, "unknown field \"wibble\"", "The fields are status"),
        (#"{"GET a.example/": {"status": 20}}"#, "status that is not one", "100 to 599"),
        (#"{"GET a.example/": {"json": 1, "text": "a"}}"#, "both json and text", "keep one"),
        (#"{"GET a.example/": {"text": {}}}"#, "an object as its text", "json"),
        (#"{"GET a.example/": {"headers": []}}"#, "a list as its headers", "Retry-After"),
        (#"{"GET a.example/": {"headers": {"X": 1}}}"#, "a number as its header X", "double quotes"),
        (#"{"GET a.example/": {"delay": 12}}"#, "a delay that is not one", "12ms"),
        (#"{"GET a.example/": {"delay": "12 parsecs"}}"#, "a delay that is not one", "12ms"),
        (#"{"GET a.example/": {"error": "nope"}}"#, "unknown error", "\"timeout\" or \"network\""),
        (#"{"GET a.example/": {"error": "timeout", "status": 200}}"#, "both an error and parts", "keep one"),
    ])
    func `a file that can't be understood is named with its fault`(text: String, fault: String, hint: String)
        async throws
    {
        let mocks = try MockDirectory(["a.json": text])
        let failure = try await MockTransport(folder: mocks.path).failure(
            of: HTTPRequest(method: "GET", url: "https://a.example/"))
        #expect(failure.kind == .rejected)
        #expect(failure.code == "PG2011")
        #expect(failure.message.hasPrefix("\(mocks.path)/a.json"))
        #expect(failure.message.contains(fault))
        #expect(failure.hint.contains(hint))
    }

    @Test func `the same pattern in two files is refused`() async throws {
        let text = #"{"GET a.example/": {}}"#
        let mocks = try MockDirectory(["a.json": text, "b.json": text])
        let failure = try await MockTransport(folder: mocks.path).failure(
            of: HTTPRequest(method: "GET", url: "https://a.example/"))
        #expect(failure.code == "PG2011")
        #expect(failure.message.contains("stands in \(mocks.path)/a.json too"))
    }

    @Test func `a folder that is not there is named`() async throws {
        let failure = try await MockTransport(folder: "/nowhere/mocks").failure(
            of: HTTPRequest(method: "GET", url: "https://a.example/"))
        #expect(failure.code == "PG2011")
        #expect(failure.message == "The folder of mocks /nowhere/mocks can't be read.")
    }

    @Test(arguments: [("timeout", HTTPFailure.Kind.timeout, "PG2003"), ("network", .network, "PG2002")])
    func `an error is a failure of the call`(error: String, kind: HTTPFailure.Kind, code: String) async throws
    {
        let mocks = try MockDirectory(["a.json": #"{"GET a.example/": {"error": "\#(error)"}}"#])
        let failure = try await MockTransport(folder: mocks.path).failure(
            of: HTTPRequest(method: "GET", url: "https://a.example/"))
        #expect(failure.kind == kind)
        #expect(failure.code == code)
    }

    @Test func `a delay is waited for, and one beyond the timeout is a timeout at that time`() async throws {
        let mocks = try MockDirectory(["a.json": #"{"GET a.example/": {"delay": "2s", "text": "late"}}"#])
        let waits = Waits()
        let transport = MockTransport(folder: mocks.path) { duration in
            waits.all.withLock { $0.append(duration) }
        }
        #expect(try await transport.get("https://a.example/").text == "late")
        let failure = try await transport.failure(
            of: HTTPRequest(method: "GET", url: "https://a.example/", timeoutMilliseconds: 500))
        #expect(failure.kind == .timeout)
        #expect(waits.all.withLock { $0 } == [.seconds(2), .milliseconds(500)])
    }

    @Test func `a reply over the limit of the call is a failure, and HEAD has no body`() async throws {
        let mocks = try MockDirectory(["a.json": #"{"* a.example/": {"text": "12345"}}"#])
        let transport = MockTransport(folder: mocks.path)
        let failure = try await transport.failure(
            of: HTTPRequest(method: "GET", url: "https://a.example/", maxReplyBytes: 4))
        #expect(failure.kind == .limit)
        let head = try await transport.send(HTTPRequest(method: "HEAD", url: "https://a.example/"))
        #expect(head.body.isEmpty)
    }

    @Test(arguments: [
        ("GET", "https://crm.example/customers/42", 1, 200),
        ("POST", "https://quotes.example/quotes", 1, 503),
        ("POST", "https://quotes.example/quotes", 2, 201),
        ("GET", "https://enrich.example/v1/company?domain=a.example", 1, 200),
        ("GET", "https://enrich.example/v1/company?domain=unknown.example", 1, 404),
        ("POST", "https://api.hubapi.example/leads/L1/assign", 1, 200),
        ("POST", "https://api.hubapi.example/leads/full-1/assign", 1, 409),
        ("PUT", "https://api.hubapi.example/companies/B1", 1, 200),
        ("PATCH", "https://crm.example/deals/D1", 1, 200),
        ("POST", "https://slack.example/api/chat.postMessage", 1, 200),
    ])
    func `the mocks that ship answer the example scripts`(
        method: String, url: String, attempt: Int, status: Int
    ) async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let transport = MockTransport(folder: root.appending(path: "mocks").path) { _ in }
        let reply = try await transport.send(HTTPRequest(method: method, url: url, attempt: attempt))
        #expect(reply.status == status)
    }
}

private final class Waits: Sendable {
    let all = Mutex<[Duration]>([])
}
