@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("http headers", .timeLimit(.minutes(5)))
struct HTTPHeaderTests {
    @Test("every attempt is a span of its own in the trace of what belongs together", arguments: Setting.all)
    func trace(_ setting: Setting) async throws {
        let world = FakeWorld { request in .json(request.attempt == 1 ? 503 : 200, "{}") }
        let body = """
            http.get("One", { url = "https://a.example/1", retry = { "0s" } })
            http.get("Two", { url = "https://a.example/2", retry = { "0s" } })
            http.get("Own", { url = "https://a.example/3", retry = { "0s" }, headers = { Traceparent = "mine" } })
            return true
            """
        let test = try TestHost(setting, scripts: ["trace.lua": script(body)], world: world)
        try await test.run { test in
            for _ in 1...2 {
                let run = try await test.result(of: "trace")
                #expect(run.status == .completed)
            }
            let values = world.requests.compactMap { $0.header("traceparent") }
            #expect(values.count == 12)
            let own = values.filter { $0 != "mine" }.map { $0.split(separator: "-") }
            #expect(own.count == 8)
            #expect(own.allSatisfy { $0.map(\.count) == [2, 32, 16, 2] && $0[0] == "00" && $0[3] == "01" })
            #expect(Set(own.map { $0[1] }).count == 2)
            #expect(Set(own.map { $0[2] }).count == 8)
        }
    }

    @Test("an id of a trace is never all zero")
    func zero() {
        #expect(TraceParent.identifier([0, 0]) == "0001")
        #expect(TraceParent.identifier([0xAB, 0]) == "ab00")
        let value = TraceParent.value(correlation: "order-7", step: "k", attempt: 1)
        #expect(value == TraceParent.value(correlation: "order-7", step: "k", attempt: 1))
        #expect(value != TraceParent.value(correlation: "order-7", step: "k", attempt: 2))
    }

    @Test("a connector says which header has the idempotency key, and whether in quotes")
    func idempotency() async throws {
        let world = FakeWorld()
        let body = """
            local a = http.client { base = "https://a.example", idempotency_header = "X-Request-Id" }
            a.post("A", { path = "/", idempotency = "key-1" })
            local b = http.client { base = "https://a.example", idempotency_header = { quoted = true } }
            b.post("B", { path = "/", idempotency = 'a "b" \\\\' })
            b.get("C", { path = "/" })
            local _, err = try(b.post, "D", { path = "/", idempotency = "ä" })
            return err.code
            """
        let test = try TestHost(scripts: ["keys.lua": script(body)], world: world)
        try await test.run { test in
            let run = try await test.result(of: "keys")
            #expect(run.result == "PG1142")
            #expect(world.requests.count == 3)
            #expect(world.requests[0].header("X-Request-Id") == "key-1")
            #expect(world.requests[0].header("Idempotency-Key") == nil)
            #expect(world.requests[1].header("Idempotency-Key") == #""a \"b\" \\""#)
            #expect(world.requests[2].header("Idempotency-Key") == nil)
        }
    }
}
