@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

@Suite("http", .timeLimit(.minutes(5)))
struct HTTPVerbTests {
    @Test(
        "sends what the script says, with the secret in its place and never in the journal",
        arguments: Setting.all)
    func request(_ setting: Setting) async throws {
        let world = FakeWorld { _ in .json(201, #"{"id": 7, "tags": []}"#) }
        let body = """
            local r = http.post("Create", { url = "https://a.example/things", query = { q = "a b", n = 1 },
              auth = secret "TOKEN", headers = { ["X-Key"] = secret "TOKEN" }, json = { token = secret "TOKEN", list = {} } })
            return { r.status, r.json.id, r.json.tags, r.attempts, r.headers["content-type"] }
            """
        let test = try TestHost(setting, scripts: ["post.lua": script(body)], world: world)
        try await test.run { test in
            let run = try await test.end(try await test.begin("post").id)
            #expect(run.result == [201, 7, [], 1, "application/json"])
            let request = try #require(world.requests.first)
            #expect(request.url == "https://a.example/things?n=1&q=a%20b")
            #expect(request.header("Authorization") == "Bearer s3cret")
            #expect(request.header("X-Key") == "s3cret")
            #expect(request.header("Content-Type") == "application/json")
            #expect(String(decoding: request.body, as: UTF8.self) == #"{"list":{},"token":"s3cret"}"#)
            let history = try await test.host.history(run: run.id)
            #expect(!"\(history)".contains("s3cret"))
            guard case .stepCompleted(let step, _, _, _) = history.entries.first?.fact else { return }
            #expect(String(decoding: step.arguments, as: UTF8.self).contains("secret:TOKEN"))
        }
    }

    @Test("retries what may pass, with the same key, and then succeeds", arguments: Setting.all)
    func retries(_ setting: Setting) async throws {
        let world = FakeWorld { request throws(HTTPFailure) in
            switch request.attempt {
            case 1: return .json(503, "{}")
            case 2: throw HTTPFailure(kind: .network, code: "PG2002", message: "reset", hint: "")
            default: return .json(200, #"{"ok": true}"#)
            }
        }
        let test = try TestHost(
            setting,
            scripts: [
                "post.lua": script("return http.post(\"Pay\", { url = \"https://a.example/pay\" }).attempts")
            ],
            world: world)
        try await test.run { test in
            let id = try await test.begin("post").id
            let activity = test.host.activity()
            var attempts = 0
            if try await test.host.run(id: id).status != .completed {
                for await event in activity {
                    if case .attempt(_, _, _, let detail) = event, detail.retryInMilliseconds != nil {
                        attempts += 1
                    }
                    if case .runEnded = event { break }
                    await test.wakeNextSleeper()
                }
            }
            let run = try await test.end(id)
            #expect(run.result == 3)
            #expect(world.requests.count == 3)
            #expect(Set(world.requests.map { $0.header("Idempotency-Key") }).count == 1)
            #expect(world.requests.first?.header("Idempotency-Key")?.count == 36)
        }
    }

    @Test("gives up at once where another attempt would end the same", arguments: Setting.all)
    func finalFailure(_ setting: Setting) async throws {
        let world = FakeWorld { _ in .json(404, #"{"error": "no such customer"}"#) }
        let body = """
            local got, err = try(http.get, "Look up", { url = "https://a.example/x?token=abc" })
            return { got == nil, err.kind, err.status, err.retryable, err.response.json.error, err.code, err.step, err.attempt }
            """
        let test = try TestHost(setting, scripts: ["get.lua": script(body)], world: world)
        try await test.run { test in
            let run = try await test.end(try await test.begin("get").id)
            #expect(run.result == [true, "http", 404, false, "no such customer", "PG2014", "Look up", 1])
            #expect(world.requests.count == 1)
            #expect(world.requests.first?.header("Idempotency-Key") == nil)
        }
    }

    @Test("of a connector joins base and path, and adds what all its calls share")
    func client() async throws {
        let world = FakeWorld()
        let body = """
            local api = http.client { base = "https://a.example/v1/", headers = { a = "1", b = "1" }, auth = { user = "u", password = secret "TOKEN" } }
            api.put("Put", { path = "/things/1", form = { x = "1 2", y = "ä" }, headers = { b = "2" }, idempotency = "mine" })
            return true
            """
        let test = try TestHost(scripts: ["put.lua": script(body)], world: world)
        try await test.run { test in
            #expect(try await test.end(try await test.begin("put").id).status == .completed)
            let request = try #require(world.requests.first)
            #expect(request.url == "https://a.example/v1/things/1")
            #expect(request.header("a") == "1")
            #expect(request.header("b") == "2")
            #expect(request.header("Idempotency-Key") == "mine")
            #expect(request.header("Authorization") == "Basic dTpzM2NyZXQ=")
            #expect(String(decoding: request.body, as: UTF8.self) == "x=1%202&y=%C3%A4")
        }
    }

    @Test("with a secret that is not set needs attention, and sends nothing")
    func missingSecret() async throws {
        let world = FakeWorld()
        let test = try TestHost(
            scripts: [
                "get.lua": script(
                    "return try(http.get, \"Get\", { url = \"https://a.example\", auth = secret \"OTHER\" })")
            ],
            world: world)
        try await test.run { test in
            let run = try await test.end(try await test.begin("get").id)
            #expect(run.status == .attention)
            #expect(run.problem?["code"] == "PG2030")
            #expect(run.problem?["hint"]?.string?.contains("PERIGEE_SECRET_OTHER") == true)
            #expect(world.requests.isEmpty)
        }
    }

    @Test(
        "refuses options that make no sense before anything is sent",
        arguments: [
            ("http.get(\"A\", { url = \"https://a.example\", timout = \"5s\" })", "PG1005", "timeout"),
            ("http.get(\"A\", { url = \"https://a.example\", timeout = 5 })", "PG1013", "5s"),
            ("http.get({ url = \"https://a.example\" })", "PG1011", "label"),
            ("http.get(\"A\", {})", "PG1011", "url"),
            ("http.get(\"A\", { url = \"nonsense\" })", "PG1015", "URL"),
            (
                "http.post(\"A\", { url = \"https://a.example\", json = { f = print } })", "PG1020",
                "json.f is a function"
            ),
            (
                "http.post(\"A\", { url = \"https://a.example\", json = {}, text = \"x\" })", "PG1011",
                "one of"
            ),
        ])
    func badOptions(_ call: String, _ code: String, _ word: String) async throws {
        let world = FakeWorld()
        let test = try TestHost(scripts: ["bad.lua": script(call)], world: world)
        try await test.run { test in
            let run = try await test.end(try await test.begin("bad").id)
            #expect(run.status == .attention)
            #expect(run.problem?["code"] == .string(code))
            let said = [run.problem?["message"]?.string, run.problem?["hint"]?.string].compactMap(\.self)
                .joined()
            #expect(said.contains(word))
            #expect(run.problem?["line"] == 2)
            #expect(world.requests.isEmpty)
        }
    }

    @Test("waits longer after each attempt, and as long as the receiver asks")
    func delays() throws {
        let policy = try RetryPolicy(["jitter": 0, "max_milliseconds": 5000])
        #expect(
            (1...5).map { policy.delay(after: $0, retryAfter: nil, random: 0) } == [
                1000, 2000, 4000, 5000, nil,
            ])
        #expect(policy.delay(after: 1, retryAfter: 7000, random: 0) == 7000)
        let list = try RetryPolicy(["delays": [15_000, 60_000]])
        #expect((1...3).map { list.delay(after: $0, retryAfter: nil, random: 0) } == [15_000, 60_000, nil])
    }
}

extension TestHost {
    /// Moves the clock to the next moment that somebody waits for, once somebody does.
    func wakeNextSleeper() async {
        await Task.yield()
        clock.advance(milliseconds: 6000)
    }
}
