import Crypto
import Foundation
@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

@Suite("Outgoing webhooks", .timeLimit(.minutes(5)))
struct WebhookTests {
    private static let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    private static let hour: Int64 = 3_600_000

    private static func call(_ more: String = "", url: String = "https://a.example/hook") -> String {
        """
        http.webhook("Tell", { url = "\(url)", secret = secret "WHSEC", type = "invoice.paid",
          data = { id = input.id, lines = { 1, 2 } }, \(more) })
        """
    }

    private static func host(
        _ body: String, _ setting: Setting = Setting(isSQLite: false, alwaysEvict: false),
        secret: String = key, world: FakeWorld = FakeWorld()
    ) throws -> TestHost {
        try TestHost(setting, scripts: ["a.lua": script(body)], world: world) { options in
            options.settings = Settings(secret: { ["WHSEC": secret][$0] }, config: { _ in nil })
        }
    }

    /// What a receiver computes (RFC 2104), beside what it was sent.
    private func isSigned(_ request: HTTPRequest, by key: String) -> Bool {
        guard let id = request.header("webhook-id"), let seconds = request.header("webhook-timestamp"),
            let bytes = Data(base64Encoded: String(key.dropFirst("whsec_".count)))
        else { return false }
        let content = "\(id).\(seconds).\(String(decoding: request.body, as: UTF8.self))"
        let code = HMAC<SHA256>.authenticationCode(
            for: Data(content.utf8), using: SymmetricKey(data: bytes))
        let signatures = (request.header("webhook-signature") ?? "").split(separator: " ").map(String.init)
        return signatures.contains("v1,\(Data(code).base64EncodedString())")
    }

    // MARK: Signatures

    private struct Vectors: Decodable {
        struct Case: Decodable {
            var name: String
            var secret: String
            var id: String?
            var timestamp: String?
            var body: String
            var now: Int
            var signature: String?
            var accept: Bool
        }

        var cases: [Case]
    }

    @Test("a signature is the one of the vector where the receiver takes it, and no other")
    func vectors() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Vectors/webhooks/standard-webhooks.json")
        let cases = try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file)).cases
        var compared = 0
        for one in cases {
            guard let id = one.id, let timestamp = one.timestamp, let seconds = Int(timestamp) else {
                continue
            }
            guard one.secret.hasPrefix("whsec_") else {
                #expect(WebhookKey.keys(in: one.secret) == nil, "\(one.name)")
                continue
            }
            let keys = try #require(WebhookKey.keys(in: one.secret), "\(one.name)")
            let made = try #require(
                WebhookKey.signature(keys, id: id, timestamp: timestamp, body: Array(one.body.utf8)))
            let isThere = one.signature?.split(separator: " ").contains(Substring(made)) == true
            // A receiver also looks at its clock; a signature alone does not tell it.
            let isOutOfTime = abs(one.now - seconds) > 300
            #expect(isThere == (one.accept || isOutOfTime), "\(one.name)")
            compared += 1
        }
        #expect(compared >= 8)
    }

    @Test("keys are read with and without padding, and each of several signs")
    func keys() throws {
        let seed = Data(1...32)
        let pair = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
        let long = (seed + pair.publicKey.rawRepresentation).base64EncodedString()
        func signatures(_ text: String) -> [String] {
            WebhookKey.keys(in: text).flatMap {
                WebhookKey.signature($0, id: "msg_1", timestamp: "1", body: Array("{}".utf8))
            }?.split(separator: " ").map(String.init) ?? []
        }
        let short = Data(repeating: 7, count: 25).base64EncodedString()
        #expect(short.hasSuffix("=="))
        #expect(signatures("whsec_\(short)").count == 1)
        #expect(signatures("whsec_\(short)") == signatures("whsec_\(short.dropLast(2))"))
        let all = signatures("whsec_\(short) \(WebhookTests.key)\nwhsk_\(long)")
        #expect(all.map { String($0.prefix { $0 != "," }) } == ["v1", "v1", "v1a"])
        for text in ["whsk_\(long)", "whsk_\(seed.base64EncodedString().dropLast())"] {
            let signature = try #require(signatures(text).first?.dropFirst("v1a,".count))
            let bytes = try #require(Data(base64Encoded: String(signature)))
            #expect(pair.publicKey.isValidSignature(bytes, for: Data("msg_1.1.{}".utf8)))
        }
        let bad = (seed + Data(repeating: 0, count: 32)).base64EncodedString()
        for text in [
            "", " ", "s3cret", "whsec_", "whsec_=", "whsec_!!!!", "whpk_\(short)", "whsk_\(short)",
            "whsk_\(bad)",
            "\(WebhookTests.key) s3cret",
        ] {
            #expect(WebhookKey.keys(in: text) == nil, "\(text)")
        }
    }

    // MARK: Attempts

    @Test(
        "every attempt has the same id and body, a time and signature of its own, and comes by the schedule",
        arguments: Setting.all)
    func schedule(_ setting: Setting) async throws {
        let world = FakeWorld { (request) throws(HTTPFailure) in
            switch request.attempt {
            // A redirect is not followed, and no reason to give up; neither is any other status.
            case 1: return HTTPReply(status: 302, headers: [("Location", "https://b.example")])
            case 2: return .json(404, "{}")
            case 3: throw HTTPFailure(kind: .timeout, code: "PG2003", message: "late", hint: "")
            default: return .json(503, "{}")
            }
        }
        let test = try WebhookTests.host(WebhookTests.call(), setting, world: world)
        try await test.run { test in
            let start = test.clock.now
            let id = try await test.begin("a", ["id": "inv_7"]).id
            var delays: [Int64] = []
            var before: Timestamp?
            while true {
                let run = try await test.until(id) { run in
                    run.status == .attention
                        || run.status == .waiting && run.waits.first?.dueAt != before
                }
                guard run.status == .waiting, let due = run.waits.first?.dueAt else { break }
                let delay = due.milliseconds - test.clock.now.milliseconds
                delays.append(delay / 1000)
                before = due
                test.clock.advance(milliseconds: delay)
            }
            #expect(delays == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400])
            let run = try await test.end(id)
            #expect(run.problem?["code"] == "PG2014")
            #expect(run.problem?["attempt"] == 10)
            let requests = world.requests
            #expect(requests.count == 10)
            #expect(requests.allSatisfy { isSigned($0, by: WebhookTests.key) })
            #expect(Set(requests.map { $0.header("webhook-id") }).count == 1)
            #expect(requests.first?.header("webhook-id")?.hasPrefix("msg_") == true)
            #expect(Set(requests.map(\.body)).count == 1)
            #expect(requests.allSatisfy { $0.timeoutMilliseconds == 20_000 })
            #expect(requests.allSatisfy { $0.header("traceparent") != nil })
            var seconds = start.milliseconds / 1000
            for (request, delay) in zip(requests, delays + [0]) {
                #expect(request.header("webhook-timestamp") == "\(seconds)")
                seconds += delay
            }
            let body = try JSON(parsing: try #require(requests.first).body)
            #expect(
                body == [
                    "type": "invoice.paid", "timestamp": .string(body["timestamp"]?.string ?? ""),
                    "data": ["id": "inv_7", "lines": [1, 2]],
                ])
            let told = try #require(Timestamp(rfc3339: body["timestamp"]?.string ?? ""))
            #expect(told == start)
            let text = String(decoding: try #require(requests.first).body, as: UTF8.self)
            #expect(text.hasPrefix(#"{"data":{"id":"inv_7","lines":[1,2]},"timestamp":"2026-"#))
        }
    }

    @Test("Retry-After moves the next attempt, and `retry` sets another schedule")
    func retryAfter() async throws {
        let world = FakeWorld { request in
            request.attempt == 1
                ? HTTPReply(status: 429, headers: [("Retry-After", "60")]) : .json(404, "{}")
        }
        let test = try WebhookTests.host(WebhookTests.call("retry = { \"1s\" }"), world: world)
        try await test.run { test in
            let id = try await test.begin("a").id
            let run = try await test.run(id, reaches: .waiting)
            #expect(run.waits.first?.dueAt == test.clock.now.adding(milliseconds: 60_000))
            test.clock.advance(milliseconds: 60_000)
            #expect(try await test.end(id).problem?["status"] == 404)
            #expect(world.requests.count == 2)
        }
    }

    @Test("a connector gives a webhook its path, its headers and its timeout")
    func connector() async throws {
        let world = FakeWorld { _ in HTTPReply(status: 204) }
        let body = """
            local acme = http.client { base = "https://a.example/v1/", timeout = "3s", headers = { ["X-Tenant"] = "7" } }
            return acme.webhook("Tell", { path = "/hook", secret = secret "WHSEC", type = "a.b", data = {} }).status
            """
        let test = try WebhookTests.host(body, world: world)
        try await test.run { test in
            let run = try await test.result(of: "a")
            #expect(run.result == 204)
            let request = try #require(world.requests.first)
            #expect(request.url == "https://a.example/v1/hook")
            #expect(request.header("X-Tenant") == "7")
            #expect(request.timeoutMilliseconds == 3000)
            #expect(isSigned(request, by: WebhookTests.key))
        }
    }

    @Test("no record has a key, also where the receiver repeats it", arguments: Setting.all)
    func redaction(_ setting: Setting) async throws {
        let other = "whsec_" + Data(repeating: 9, count: 24).base64EncodedString()
        let world = FakeWorld { _ in .json(200, #"{"a":"\#(WebhookTests.key)","b":"\#(other.dropFirst(6))"}"#)
        }
        let test = try WebhookTests.host(
            "return \(WebhookTests.call()).json", setting, secret: "\(WebhookTests.key) \(other)",
            world: world)
        try await test.run { test in
            let run = try await test.result(of: "a")
            #expect(run.result == ["a": "[secret WHSEC]", "b": "[secret WHSEC]"])
            let record = try await test.host.history(run: run.id).entries.map { "\($0.fact)" }.joined()
            for key in [WebhookTests.key, other] {
                #expect(!record.contains("\(Array(key.dropFirst(6).utf8))".dropFirst().dropLast()))
            }
            let request = try #require(world.requests.first)
            #expect(isSigned(request, by: WebhookTests.key) && isSigned(request, by: other))
        }
    }

    @Test("what is sent again after a crash has the same id and body", arguments: Setting.all)
    func crash(_ setting: Setting) async throws {
        let (answers, answer) = AsyncStream.makeStream(of: Void.self)
        let world = FakeWorld(hold: { _ in for await _ in answers { break } })
        // What goes before is recorded earlier than the webhook is sent.
        let body = "sleep(\"Rest\", \"0s\") return \(WebhookTests.call()).status"
        let first = try TestHost(setting, scripts: ["a.lua": script(body)], world: world) { options in
            options.settings = Settings(secret: { ["WHSEC": WebhookTests.key][$0] }, config: { _ in nil })
            options.drainMilliseconds = 0
        }
        var id = ""
        try await first.run { test in
            id = try await test.begin("a").id
            while world.requests.isEmpty { await Task.yield() }
        }
        answer.finish()
        first.clock.advance(milliseconds: WebhookTests.hour)
        let second = try TestHost(
            setting, scripts: [:], clock: first.clock, journal: setting.isSQLite ? nil : first.journal,
            folder: first.folder
        ) { options in
            options.settings = Settings(secret: { ["WHSEC": WebhookTests.key][$0] }, config: { _ in nil })
        }
        try await second.run { test in
            let run = try await test.end(id)
            #expect(run.result == 200)
            let before = try #require(world.requests.first)
            let after = try #require(test.world.requests.first)
            #expect(before.body == after.body && !after.body.isEmpty)
            #expect(before.header("webhook-id") == after.header("webhook-id"))
            #expect(before.header("webhook-timestamp") != after.header("webhook-timestamp"))
            #expect(isSigned(after, by: WebhookTests.key))
        }
    }

    // MARK: Gone

    private func expectResult(
        _ test: TestHost, _ workflow: String, _ input: JSON, _ result: JSON
    ) async throws {
        let run = try await test.result(of: workflow, input)
        #expect(run.result == result, "\(workflow) \(input.text)")
    }

    @Test(
        "410 disables the endpoint for every workflow and over a restart, until it is enabled",
        arguments: Setting.all)
    func gone(_ setting: Setting) async throws {
        let isGone = Mutex(true)
        let world = FakeWorld { request in
            request.url.hasSuffix("/hook") && isGone.withLock({ $0 })
                ? .json(410, #""bye""#) : .json(200, "{}")
        }
        let caught = """
            local ok, problem = try(http.webhook, "Tell", { url = input.url, secret = secret "WHSEC",
              type = "a.b", data = {}, enable = input.enable })
            if ok then return ok.status end
            return { problem.code, problem.disabled_since or "", problem.retryable, problem.status or 0 }
            """
        let scripts = ["a.lua": script(caught), "b.lua": script(caught)]
        let configure: @Sendable (inout HostOptions) -> Void = { options in
            options.settings = Settings(secret: { ["WHSEC": WebhookTests.key][$0] }, config: { _ in nil })
        }
        let url: JSON = ["url": "https://a.example/hook"]
        let enabling: JSON = ["url": "https://a.example/hook", "enable": true]
        let first = try TestHost(setting, scripts: scripts, world: world, configure: configure)
        let since = first.clock.now
        try await first.run { test in
            try await expectResult(test, "a", url, ["PG2171", "", false, 410])
            #expect(world.calls.count == 1)
        }
        first.clock.advance(milliseconds: WebhookTests.hour)
        let second = try TestHost(
            setting, scripts: scripts, world: world, clock: first.clock,
            journal: setting.isSQLite ? nil : first.journal, folder: first.folder, configure: configure)
        try await second.run { test in
            let refused: JSON = ["PG2172", .string(since.description), false, 0]
            for workflow in ["a", "b"] {
                try await expectResult(test, workflow, url, refused)
            }
            #expect(world.calls.count == 1)
            // Another address is another endpoint, also by its query.
            for other in ["https://a.example/other", "https://a.example/hook?customer=7"] {
                try await expectResult(test, "b", ["url": .string(other)], 200)
            }
            try await expectResult(test, "b", enabling, ["PG2171", "", false, 410])
            isGone.withLock { $0 = false }
            let again: JSON = ["PG2172", .string(test.clock.now.description), false, 0]
            try await expectResult(test, "a", url, again)
            try await expectResult(test, "b", enabling, 200)
            try await expectResult(test, "a", url, 200)
            #expect(world.calls.count == 6)
        }
    }

    @Test("an attempt that waits is not made any more once its endpoint is disabled")
    func goneMeanwhile() async throws {
        let status = Mutex(503)
        let world = FakeWorld { _ in .json(status.withLock { $0 }, "{}") }
        let test = try WebhookTests.host(WebhookTests.call(), world: world)
        try await test.run { test in
            let id = try await test.begin("a").id
            _ = try await test.run(id, reaches: .waiting)
            status.withLock { $0 = 410 }
            let other = try await test.result(of: "a")
            #expect(other.problem?["code"] == "PG2171")
            test.clock.advance(milliseconds: 5000)
            let run = try await test.end(id)
            #expect(run.problem?["code"] == "PG2172")
            #expect(run.problem?["attempt"] == 1)
            #expect(world.calls.count == 2)
        }
    }

    // MARK: Mistakes

    @Test("a secret that is no key stops the run before anything is sent, and its value is not told")
    func noKey() async throws {
        let test = try WebhookTests.host(
            "try(function() \(WebhookTests.call()) end)", secret: "hunter2hunter2")
        try await test.run { test in
            let run = try await test.result(of: "a")
            #expect(run.status == .attention)
            #expect(run.problem?["code"] == "PG2173")
            #expect(run.problem?["message"]?.string?.contains("WHSEC") == true)
            #expect(run.problem.map { $0.text.contains("hunter2") } == false)
            #expect(test.world.requests.isEmpty)
        }
    }

    @Test(
        "options that make no sense are refused",
        arguments: [
            ("secret = \"whsec_AAAA\", type = \"a\", data = {}", "PG1141"),
            ("type = \"a\", data = {}", "PG1011"), ("secret = secret \"WHSEC\", data = {}", "PG1011"),
            ("secret = secret \"WHSEC\", type = \"a\"", "PG1011"),
            ("secret = secret \"WHSEC\", type = \"a\", data = {}, json = {}", "PG1005"),
            (
                "secret = secret \"WHSEC\", type = \"a\", data = {}, headers = { [\"Webhook-Id\"] = \"1\" }",
                "PG1144"
            ),
        ])
    func badOptions(_ options: String, _ code: String) async throws {
        let test = try WebhookTests.host(
            "http.webhook(\"Tell\", { url = \"https://a.example\", \(options) })")
        try await test.run { test in
            let run = try await test.result(of: "a")
            #expect(run.problem?["code"] == .string(code))
            #expect(test.world.requests.isEmpty)
        }
    }
}
