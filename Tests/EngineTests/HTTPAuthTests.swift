import Foundation
@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

@Suite("http auth", .timeLimit(.minutes(5)))
struct HTTPAuthTests {
    private static let oauth2 = """
        oauth2 = { token_url = "https://login.example/token", client_id = "my app", client_secret = secret "TOKEN",
          scope = "read write", audience = "https://api.example" }
        """

    /// A world that grants `token-1`, `token-2` and so on, and asks a test what to say to calls with them.
    private static func world(
        seconds: Int = 600, _ answer: @escaping @Sendable (_ token: String) -> HTTPReply
    ) -> FakeWorld {
        let granted = Mutex(0)
        return FakeWorld { request in
            guard request.url == "https://login.example/token" else {
                return answer(request.header("Authorization") ?? "none")
            }
            let count = granted.withLock { count in
                count += 1
                return count
            }
            let reply = #"{"access_token":"token-\#(count)","token_type":"bearer","expires_in":\#(seconds)}"#
            return .json(200, reply)
        }
    }

    @Test("a reply that repeats a secret is recorded without it", arguments: Setting.all)
    func redaction(_ setting: Setting) async throws {
        let world = FakeWorld { request in
            let authorization = request.header("Authorization") ?? ""
            let query = request.url.split(separator: "?").last ?? ""
            let text = #"{"sent":"\#(authorization)","query":"\#(query)","short":"TOK"}"#
            let reply = HTTPReply(
                status: request.url.contains("refused") ? 403 : 200,
                headers: [("Content-Type", "application/json"), ("X-Seen", authorization)],
                body: Array(text.utf8))
            return reply
        }
        let body = """
            local good = http.get("A", { url = "https://a.example/a", auth = secret "TOKEN", query = { key = secret "ODD" } })
            local _, bad = try(http.get, "B", { url = "https://a.example/refused", auth = { user = "u", password = secret "TOKEN" } })
            return { good.json.sent, good.headers["x-seen"], good.json.query, bad.response.json.sent, bad.message:find("dTp") == nil }
            """
        let test = try TestHost(setting, scripts: ["get.lua": script(body)], world: world) { options in
            options.settings = Settings(
                secret: { ["TOKEN": "s3cret-token", "ODD": "a b/ä&c"][$0] }, config: { _ in nil })
        }
        try await test.run { test in
            let run = try await test.result(of: "get")
            #expect(
                run.result == [
                    "Bearer [secret TOKEN]", "Bearer [secret TOKEN]", "key=[secret ODD]",
                    "Basic [authorization]", true,
                ])
            let record = try await test.host.history(run: run.id).entries.map { "\($0.fact)" }.joined()
            for secret in ["s3cret-token", "dTpz"] {
                #expect(!record.contains("\(Array(secret.utf8))".dropFirst().dropLast()))
            }
        }
    }

    @Test(
        "oauth2 fetches a token once, shares it between runs, and records nothing of it",
        arguments: Setting.all)
    func sharing(_ setting: Setting) async throws {
        let world = HTTPAuthTests.world { token in .json(200, #"{"you":"\#(token)"}"#) }
        let body = """
            local api = http.client { base = "https://api.example", auth = { \(HTTPAuthTests.oauth2) } }
            return { api.get("A", { path = "/a" }).json.you, api.post("B", { path = "/b" }).json.you }
            """
        let test = try TestHost(setting, scripts: ["get.lua": script(body)], world: world)
        try await test.run { test in
            for _ in 1...2 {
                let run = try await test.result(of: "get")
                #expect(run.result == ["Bearer [token]", "Bearer [token]"])
                let history = try await test.host.history(run: run.id)
                for entry in history.entries {
                    guard case .stepCompleted(let step, let outcome, _, _) = entry.fact else { continue }
                    guard case .success(let reply) = outcome else { continue }
                    for bytes in [step.arguments, reply] {
                        let text = String(decoding: bytes, as: UTF8.self)
                        #expect(!text.contains("s3cret") && !text.contains("token-1"))
                    }
                }
            }
            #expect(world.calls.filter { $0.hasSuffix("/token") }.count == 1)
            let asked = try #require(world.requests.first)
            #expect(
                asked.header("Authorization") == "Basic \(Data("my%20app:s3cret".utf8).base64EncodedString())"
            )
            #expect(
                String(decoding: asked.body, as: UTF8.self)
                    == "audience=https%3A%2F%2Fapi.example&grant_type=client_credentials&scope=read%20write")
            #expect(world.requests.dropFirst().allSatisfy { $0.header("Authorization") == "Bearer token-1" })
        }
    }

    @Test("a token is fetched anew shortly before it ends")
    func expiry() async throws {
        let world = HTTPAuthTests.world { _ in .json(200, "{}") }
        let body = """
            local call = { url = "https://api.example", auth = { \(HTTPAuthTests.oauth2) } }
            http.get("A", call) sleep("539s") http.get("B", call) sleep("1s") http.get("C", call)
            """
        let test = try TestHost(scripts: ["get.lua": script(body)], world: world)
        try await test.run { test in
            let id = try await test.begin("get").id
            for milliseconds in [539_000, 1000] as [Int64] {
                _ = try await test.run(id, reaches: .waiting)
                test.clock.advance(milliseconds: milliseconds)
                _ = try await test.until(id) { $0.status != .waiting }
            }
            #expect(try await test.end(id).status == .completed)
            let tokens = world.requests.filter { $0.method == "GET" }.map { $0.header("Authorization") }
            #expect(tokens == ["Bearer token-1", "Bearer token-1", "Bearer token-2"])
        }
    }

    @Test("a token that is refused is fetched anew once")
    func refused() async throws {
        let world = HTTPAuthTests.world { token in .json(token == "Bearer token-2" ? 200 : 401, "{}") }
        let body = """
            local call = { url = "https://api.example", auth = { \(HTTPAuthTests.oauth2) }, retry = { max_attempts = 1 } }
            return http.get("A", call).attempts
            """
        let never = HTTPAuthTests.world { _ in .json(401, "{}") }
        let test = try TestHost(scripts: ["get.lua": script(body)], world: world)
        try await test.run { test in
            let run = try await test.result(of: "get")
            #expect(run.result == 2)
        }
        let other = try TestHost(scripts: ["get.lua": script(body)], world: never)
        try await other.run { test in
            let run = try await test.result(of: "get")
            #expect(run.problem?["code"] == "PG2014")
            #expect(run.problem?["status"] == 401)
            #expect(never.requests.count == 4)
        }
    }

    @Test(
        "without a token the call is not sent, and the error says why",
        arguments: [
            (
                400, #"{"error":"invalid_client","error_description":"bad s3cret"}"#, "PG2160", 1,
                "invalid_client"
            ),
            (503, "", "PG2160", 2, "503"), (200, #"{"access_token":""}"#, "PG2161", 1, "login.example"),
            (200, #"{"access_token":"a","token_type":"mac"}"#, "PG2161", 1, "login.example"),
        ])
    func noToken(_ status: Int, _ reply: String, _ code: String, _ fetches: Int, _ word: String) async throws
    {
        let world = FakeWorld { _ in .json(status, reply) }
        let body = """
            http.get("A", { url = "https://api.example", auth = { \(HTTPAuthTests.oauth2) }, retry = { "0s" } })
            """
        let test = try TestHost(scripts: ["get.lua": script(body)], world: world)
        try await test.run { test in
            let problem = try #require(try await test.result(of: "get").problem)
            #expect(problem["code"] == .string(code))
            let message = try #require(problem["message"]?.string)
            #expect(message.contains(word))
            #expect(!message.contains("s3cret"))
            #expect(world.calls == Array(repeating: "POST https://login.example/token", count: fetches))
        }
    }

    @Test("calls that want a token at the same time wait for one fetch, and share how it ends")
    func oneFetch() async throws {
        let cache = TokenCache()
        let credentials = try #require(
            ClientCredentials(["token_url": "https://l.example", "client_id": "a", "client_secret": "b"]))
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        let (begun, beginner) = AsyncStream.makeStream(of: Void.self)
        let (asked, asker) = AsyncStream.makeStream(of: Void.self)
        let fetches = Mutex(0)
        let now: @Sendable () -> Timestamp = {
            asker.yield()
            return Timestamp(milliseconds: 0)
        }
        let token: @Sendable () async throws -> String = {
            try await cache.token(for: credentials, now: now) {
                fetches.withLock { $0 += 1 }
                beginner.yield()
                for await _ in gate { break }
                return .success(AccessToken(text: "t", seconds: 600))
            }.get()
        }
        let first = Task { try await token() }
        for await _ in begun { break }
        let others = (1...20).map { _ in Task { try await token() } }
        // The first asks for the time twice: when it looks, and when it begins to fetch.
        var left = others.count + 2
        for await _ in asked {
            left -= 1
            if left == 0 { break }
        }
        opener.yield()
        #expect(try await first.value == "t")
        for other in others { #expect(try await other.value == "t") }
        #expect(fetches.withLock { $0 } == 1)
    }

    @Test("when the call that fetches is cancelled, the next one fetches")
    func cancelledFetch() async throws {
        let cache = TokenCache()
        let credentials = try #require(
            ClientCredentials(["token_url": "https://l.example", "client_id": "a", "client_secret": "b"]))
        let (begun, beginner) = AsyncStream.makeStream(of: Void.self)
        let now = Timestamp(milliseconds: 0)
        let first = Task {
            try await cache.token(for: credentials, now: { now }) {
                beginner.yield()
                // Ends when the task is cancelled.
                await Readiness().wait()
                return .failure(HTTPFailure(kind: .network, code: "PG2002", message: "", hint: ""))
            }
        }
        for await _ in begun { break }
        let second = Task {
            try await cache.token(for: credentials, now: { now }) {
                .success(AccessToken(text: "t", seconds: 600))
            }.get()
        }
        first.cancel()
        #expect(try await second.value == "t")
        await #expect(throws: CancellationError.self) { try await first.value }
    }

    @Test("hmac signs the bytes of the body")
    func hmac() async throws {
        let world = FakeWorld()
        let body = """
            local function sign(label, more)
              local hmac = { secret = secret "TOKEN", header = "X-Signature" }
              for name, value in pairs(more) do hmac[name] = value end
              http.post(label, { url = "https://a.example", text = "hello", auth = { hmac = hmac } })
            end
            sign("A", {})
            sign("B", { prefix = "sha256=", encoding = "base64" })
            sign("C", { algorithm = "sha512" })
            """
        let test = try TestHost(scripts: ["sign.lua": script(body)], world: world)
        try await test.run { test in
            let run = try await test.result(of: "sign")
            #expect(run.status == .completed)
            #expect(
                world.requests.map { $0.header("X-Signature") } == [
                    "e5a01537481fa0b2c697f787c7aff885412cf0760d08e08502259b39d2d6ae68",
                    "sha256=5aAVN0gfoLLGl/eHx6/4hUEs8HYNCOCFAiWbOdLWrmg=",
                    "19be28bc1a54a07419829bba0df0daa580fbde5ddb89cece850074c504f31a6e"
                        + "f53a80a865448982fca5ae99dffccc99e7115275c721eaefe1c13506b29a7286",
                ])
        }
    }

    @Test(
        "what proves who is calling is given as a secret, and options that make no sense are refused",
        arguments: [
            ("hmac = { secret = \"clear\", header = \"X\" }", "PG1141"),
            (
                "oauth2 = { token_url = \"https://a\", client_id = \"a\", client_secret = \"clear\" }",
                "PG1141"
            ),
            ("hmac = { secret = secret \"TOKEN\" }", "PG1011"),
            ("hmac = { secret = secret \"TOKEN\", header = \"X\", algorithm = \"md5\" }", "PG1011"),
            ("hmac = { secret = secret \"TOKEN\", headr = \"X\" }", "PG1005"),
            ("oauth2 = { client_id = \"a\", client_secret = secret \"TOKEN\" }", "PG1011"),
            ("foo = 1", "PG1015"),
        ])
    func badAuth(_ auth: String, _ code: String) async throws {
        try await expectRefused("auth = { \(auth) }", code)
    }
}
