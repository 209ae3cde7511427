import Perigee
import PerigeeJournal
import Testing

private let parent = """
    return workflow { on = { manual = true }, run = function()
      return flow.call("Ask <b>", "child", {})
    end }
    """

private let child = """
    return workflow { on = { manual = true }, run = function()
      return flow.lock("Mine", "k&1", function() wait.event("Go", { event = "go" }) return true end)
    end }
    """

/// What the API and the pages say of parents, children and locks.
@Suite("Parents, children and locks in the API")
struct RelationsTests {
    @Test func `a run shows what started it, what it started, and who holds what it waits for`() async throws
    {
        try await RunningServer.with(["parent.lua": parent, "child.lua": child]) { server in
            let activity = server.host.activity()
            func start(_ workflow: String, until step: String) async throws -> String {
                let started = try await server.post("/v1/workflows/\(workflow)/runs", ["input": [:]])
                let id = try #require(started.json["id"]?.string)
                for await event in activity {
                    if case .waiting(_, _, let label, _, _) = event, label == step { break }
                }
                return id
            }
            let first = try await start("parent", until: "Go")
            let second = try await start("child", until: "Mine")

            let run = try await server.get("/v1/runs/\(first)").json
            #expect(run["parent"] == .null && run["children"]?["count"] == 1)
            let item = try #require(run["children"]?["items"]?.array?.first)
            let id = try #require(item["id"]?.string)
            #expect(item["workflow"] == "child" && item["label"] == "Ask <b>")
            #expect(run["waits"]?.array?.first?["type"] == "child")
            #expect(run["waits"]?.array?.first?["run"] == .string(id))
            let started = try await server.get("/v1/runs/\(id)").json
            #expect(started["parent"]?["run"] == .string(first))
            #expect(started["parent"]?["on_parent_end"] == "cancel")
            #expect(started["trigger"]?["type"] == "run")
            #expect(started["locks"]?.array?.first?["key"] == "k&1")
            let waiting = try await server.get("/v1/runs/\(second)").json["waits"]?.array?.first
            #expect(waiting?["lock"] == "k&1" && waiting?["holder"] == .string(id) && waiting?["ahead"] == 0)

            let page = try await server.get("/runs/\(first)").text
            #expect(page.contains("Runs that it started") && page.contains("href=\"/runs/\(id)\""))
            #expect(page.contains("Ask &lt;b&gt;: waits for the run \(id) to end"))
            let childPage = try await server.get("/runs/\(id)").text
            #expect(childPage.contains("started by &quot;Ask &lt;b&gt;&quot; of"))
            #expect(childPage.contains("Holds the lock k&amp;1"))
            let lockPage = try await server.get("/runs/\(second)").text
            #expect(lockPage.contains("waits for the lock k&amp;1 that \(id) holds"))
        }
    }
}
