import Crypto
import Foundation
import Perigee
import PerigeeHTTP
import PerigeeJournal
import Synchronization
import Testing

private struct Answer: Codable, Equatable, Sendable {
    var text: String?
    var attempts: Int?
    var code: String?
}

@Suite(.timeLimit(.minutes(5))) struct RunOverSocketsTests {
    /// A call to a server that asks for a token of the same server.
    private func script(_ server: LocalServer) -> String {
        """
        return workflow { name = "Call", run = function()
          local reply, err = try(http.post, "Upload", { url = "\(server.url)/files", retry = { "0s", "0s" },
            auth = { oauth2 = { token_url = "\(server.url)/token", client_id = "me", client_secret = secret "KEY" } },
            multipart = { note = "für Ana", file = { filename = "a.csv", content = "a;b\\r\\n" } } })
          if not reply then return { code = err.code } end
          return { text = reply.body, attempts = reply.attempts }
        end }
        """
    }

    private func run(_ script: String, _ transport: AsyncHTTPTransport) async throws -> Answer {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "perigee-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(script.utf8).write(to: folder.appendingPathComponent("call.lua"))
        var options = HostOptions()
        options.settings = Settings(
            secret: { ["KEY": "s3cret", "HOOK": "whsec_MDEyMzQ1Njc4OWFiY2RlZg"][$0] }, config: { _ in nil })
        let host = WorkflowHost(
            journal: MemoryJournal(), scripts: folder.path, http: transport, options: options)
        let running = Task { try await host.run() }
        defer { running.cancel() }
        try await host.waitUntilReady()
        let answer = try await host.start("call", input: [String: Int]()).result(as: Answer.self)
        running.cancel()
        try await running.value
        try FileManager.default.removeItem(at: folder)
        return answer
    }

    @Test func `a run fetches a token, renews it, and sends the same bytes until it is answered`()
        async throws
    {
        let granted = Mutex(0)
        let isLater = Mutex(false)
        try await withServer { request in
            if request.hasPrefix("POST /token") {
                let count = granted.withLock { count in
                    count += 1
                    return count
                }
                let grant = #"{"access_token":"t-\#(count)","token_type":"Bearer","expires_in":3600}"#
                return .reply("200 OK", headers: ["Content-Type: application/json"], body: grant)
            }
            guard request.contains("Authorization: Bearer t-2\r\n") else { return .reply("401 Unauthorized") }
            let wasLater = isLater.withLock { isLater in
                defer { isLater = true }
                return isLater
            }
            guard wasLater else { return .reply("425 Too Early", headers: ["Retry-After: 0"]) }
            return .raw(headers: ["Content-Type: text/plain; charset=iso-8859-1"], body: [0x67, 0xFC, 0x6E])
        } run: { server, transport in
            let answer = try await run(script(server), transport)
            #expect(answer == Answer(text: "gün", attempts: 3))
            let calls = server.requests.filter { $0.hasPrefix("POST /files") }
            #expect(calls.count == 3)
            let bodies = Set(calls.map { $0.split(separator: "\r\n\r\n").dropFirst() })
            #expect(bodies.count == 1)
            for name in ["Idempotency-Key", "Content-Type", "X-Correlation-Id"] {
                let lines = calls.map { call in
                    call.split(separator: "\r\n").first { $0.hasPrefix("\(name): ") }
                }
                #expect(Set(lines).count == 1 && lines.first != .some(nil))
            }
            let spans = calls.map { call in
                call.split(separator: "\r\n").first { $0.hasPrefix("traceparent: 00-") }
            }
            #expect(Set(spans).count == 3)
        }
    }

    @Test func `a webhook is verified by its receiver at every attempt, and follows no redirect`()
        async throws
    {
        let count = Mutex(0)
        try await withServer { _ in
            let attempt = count.withLock { count in
                count += 1
                return count
            }
            switch attempt {
            case 1: return .redirect(307, to: "/elsewhere")
            case 2: return .reply("404 Not Found")
            default: return .reply("200 OK", body: "thanks")
            }
        } run: { server, transport in
            let script = """
                return workflow { name = "Call", run = function()
                  local reply = http.webhook("Tell", { url = "\(server.url)/hook", secret = secret "HOOK",
                    type = "deal.won", data = { customer = "Müller" }, retry = { "0s", "0s" } })
                  return { text = reply.body, attempts = reply.attempts }
                end }
                """
            let answer = try await run(script, transport)
            #expect(answer == Answer(text: "thanks", attempts: 3))
            let requests = server.requests
            #expect(requests.count == 3)
            for request in requests {
                #expect(request.hasPrefix("POST /hook "))
                let lines = request.split(separator: "\r\n", omittingEmptySubsequences: false)
                func header(_ name: String) -> Substring {
                    lines.first { $0.hasPrefix("\(name): ") }?.dropFirst(name.count + 2) ?? ""
                }
                let body = lines.last ?? ""
                let content = "\(header("webhook-id")).\(header("webhook-timestamp")).\(body)"
                let code = HMAC<SHA256>.authenticationCode(
                    for: Data(content.utf8), using: SymmetricKey(data: Data("0123456789abcdef".utf8)))
                #expect(header("webhook-signature") == "v1,\(Data(code).base64EncodedString())")
                #expect(body.contains("Müller"))
            }
            #expect(Set(requests.map { $0.split(separator: "\r\n").last }).count == 1)
        }
    }

    /// Every way in which a server fails a request that it has carried out, and that may be sent again.
    private static let failures: [LocalServer.Answer] = [
        .reset, .bytesThenClose(""), .bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        .endless(after: "HTTP/1.1 200 OK\r\n", of: "X-More: \(String(repeating: "y", count: 1000))\r\n"),
        .bytes("220 mail.example ESMTP\r\n"),
        .bytes("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody"),
        .hang(), .hang(after: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
        .drip(after: "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
        .raw(headers: ["Content-Encoding: gzip"], body: [0x1F, 0x8B, 1, 2, 3]),
        .reply("503 Service Unavailable", body: "later"),
    ]

    @Test func `a server that fails in every way carries a call out once, by its idempotency key`()
        async throws
    {
        let keys = Mutex<[String]>([])
        try await withServer { request in
            let lines = request.split(separator: "\r\n")
            let key = lines.first { $0.hasPrefix("Idempotency-Key: ") }.map(String.init) ?? "none"
            let asked = keys.withLock { keys in
                keys.append(key)
                return keys.count
            }
            guard asked > Self.failures.count else { return Self.failures[asked - 1] }
            return .reply("200 OK", body: "\(Set(keys.withLock { $0 }).count) paid")
        } run: { server, transport in
            let delays = Self.failures.map { _ in #""0s""# }.joined(separator: ", ")
            let script = """
                return workflow { name = "Pay", run = function()
                  local reply = http.post("Pay", { url = "\(server.url)/payments", json = { amount = 7 },
                    timeout = "10s", retry = { \(delays) } })
                  return { text = reply.body, attempts = reply.attempts }
                end }
                """
            let answer = try await run(script, transport)
            #expect(answer == Answer(text: "1 paid", attempts: Self.failures.count + 1))
            let calls = server.requests
            #expect(calls.count == Self.failures.count + 1)
            #expect(Set(calls.map { $0.split(separator: "\r\n\r\n").last }) == [#"{"amount":7}"#])
            #expect(!keys.withLock { $0.contains("none") })
        }
    }

    @Test func `a token is asked for by the same rules as any call`() async throws {
        let server = try await LocalServer { _ in .reply("200 OK") }
        try await withTransport { transport in
            let answer = try await run(script(server), transport)
            #expect(answer == Answer(code: "PG2004"))
            #expect(server.requests.isEmpty)
        }
        try await server.stop()
    }
}
