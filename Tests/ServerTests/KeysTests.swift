import Perigee
import PerigeeJournal
import Testing

private let line = """
    return workflow {
      on = { event = "account.updated" }, concurrency = { key = "account", limit = 1 },
      run = function(input) wait.event("Settled", { event = "settled" }) return true end,
    }
    """

private let once = """
    return workflow {
      on = { { event = "order.placed" }, { http = "POST /orders" }, { manual = true } },
      key = "order:{id}", on_conflict = "reject", run = function() return true end,
    }
    """

/// What the API and the pages say of keys and lines.
@Suite("Keys and concurrency in the API")
struct KeysTests {
    @Test func `a run that waits for its turn says why, to programs and to people`() async throws {
        try await RunningServer.with(["line.lua": line]) { server in
            func start() async throws -> String {
                let event: JSON = ["type": "account.updated", "data": ["account": "a&b"]]
                let runs = try await server.post("/v1/events", event).json["runs"]?.array
                return try #require(runs?.first?.string)
            }
            let first = try await start()
            let second = try await start()
            let run = try await server.get("/v1/runs/\(second)").json
            #expect(run["status"] == "queued" && run["waiting_for"] == "its turn")
            let expected: JSON = [
                "kind": "concurrency", "key": "a&b", "limit": 1, "runs": [.string(first)],
            ]
            #expect(run["blocked_by"] == expected)
            #expect(try await server.get("/v1/runs/\(first)").json["blocked_by"] == .null)
            let page = try await server.get("/runs/\(second)").text
            #expect(page.contains("waits for its turn: 1 at a time for &quot;a&amp;b&quot;"))
            #expect(page.contains("href=\"/runs/\(first)\""))
            #expect(try await server.get("/").text.contains("waits for its turn"))
        }
    }

    @Test func `a key that is taken is a conflict, and is listed where an event met it`() async throws {
        try await RunningServer.with(["once.lua": once]) { server in
            let first = try #require(try await server.post("/hooks/orders", ["id": 7]).json["id"]?.string)
            for answer in [
                try await server.post("/hooks/orders", ["id": 7]),
                try await server.post("/v1/workflows/once/runs", ["input": ["id": 7]]),
            ] {
                #expect(answer.status == 409 && answer.json["code"] == "PG4110")
                #expect(answer.json["detail"]?.string?.contains(first) == true)
            }
            let event: JSON = ["type": "order.placed", "data": ["id": 7]]
            let receipt = try await server.post("/v1/events", event)
            #expect(receipt.status == 202 && receipt.json["runs"] == [])
            let refused = receipt.json["refused"]?.array?.first
            #expect(refused?["run"] == .string(first) && refused?["key"] == "order:7")
            #expect(refused?["code"] == "PG4110" && refused?["workflow"] == "once")
        }
    }
}
