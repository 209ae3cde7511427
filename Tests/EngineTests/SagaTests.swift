import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

@Suite("saga", .timeLimit(.minutes(5)))
struct SagaTests {
    private static let body = """
        local result, err = try(saga, "Fulfil", function(undo)
          undo("Release", http.delete, { url = "https://a.example/holds" })
          http.put("Reserve", { url = "https://a.example/holds" })
          undo("Refund", http.post, { url = "https://a.example/refunds" })
          http.post("Charge", { url = "https://a.example/charges" })
          if not wait.event("Picked up", { event = "picked", timeout = "3d" }) then flow.fail("never came") end
          return "done"
        end)
        if err then return { err.message, err.undone } end
        return result
        """

    @Test("undoes newest first when it fails, and tells what it undid", arguments: Setting.all)
    func undoes(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["s.lua": script(SagaTests.body)])
        try await test.run { test in
            let id = try await test.begin("s").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 3 * 86_400_000)
            #expect(try await test.end(id).result == ["never came", ["Refund", "Release"]])
            #expect(
                test.world.calls == [
                    "PUT https://a.example/holds", "POST https://a.example/charges",
                    "POST https://a.example/refunds", "DELETE https://a.example/holds",
                ])
        }
    }

    @Test("undoes nothing when it succeeds")
    func succeeds() async throws {
        let test = try TestHost(scripts: ["s.lua": script(SagaTests.body)])
        try await test.run { test in
            let id = try await test.begin("s").id
            _ = try await test.run(id, reaches: .waiting)
            _ = try await test.send("picked", [:])
            #expect(try await test.end(id).result == "done")
            #expect(test.world.calls.count == 2)
        }
    }

    @Test("undoes when the run is cancelled, and the script can't stop that", arguments: Setting.all)
    func cancelled(_ setting: Setting) async throws {
        let body = """
            for i = 1, 3 do pcall(function() coroutine.wrap(function()
              \(SagaTests.body)
            end)() end) end
            http.post("Never", { url = "https://a.example/never" })
            """
        let test = try TestHost(setting, scripts: ["s.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("s").id
            _ = try await test.run(id, reaches: .waiting)
            _ = try await test.host.cancel(run: id, by: "ana", reason: "wrong order")
            let run = try await test.end(id)
            #expect(run.status == .cancelled)
            #expect(run.problem?["message"]?.string?.contains("wrong order") == true)
            #expect(
                test.world.calls.suffix(2) == [
                    "POST https://a.example/refunds", "DELETE https://a.example/holds",
                ])
            #expect(test.world.calls.count == 4)
        }
    }

    @Test("a cancellation during an undo is seen at the same place in a replay", arguments: Setting.all)
    func cancelledInUndo(_ setting: Setting) async throws {
        let body = """
            saga("Outer", function(undo)
              undo("Last", wait.event, { event = "last" })
              undo("Refund", http.post, { url = "https://a.example/refunds" })
              try(saga, "Inner", function(undo)
                undo("First", wait.event, { event = "first" })
                flow.fail("on purpose")
              end)
              emit("never", {})
            end)
            """
        let calls = try await callsOfRunCancelledInUndo(setting, body)
        #expect(calls == ["POST https://a.example/refunds"])
    }

    @Test(
        "a cancellation during an undo inside a checkpoint lets that come to its end", arguments: Setting.all)
    func cancelledInCheckpoint(_ setting: Setting) async throws {
        let body = """
            saga("Outer", function(undo)
              undo("Last", wait.event, { event = "last" })
              checkpoint("Part", function()
                try(saga, "Inner", function(undo)
                  undo("First", wait.event, { event = "first" })
                  flow.fail("on purpose")
                end)
              end)
              emit("never", {})
            end)
            """
        _ = try await callsOfRunCancelledInUndo(setting, body)
    }

    /// Cancels a run while its undo "First" is under way, and lets that and the undo "Last" come to their end.
    private func callsOfRunCancelledInUndo(_ setting: Setting, _ body: String) async throws -> [String] {
        let test = try TestHost(setting, scripts: ["s.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("s").id
            _ = try await test.run(id, reaches: .waiting)
            _ = try await test.host.cancel(run: id, by: "ana", reason: "wrong order")
            _ = try await test.until(id) { $0.entryCount == 2 && $0.status == .waiting }
            _ = try await test.send("first", [:])
            _ = try await test.until(id) { $0.waits.first?.address.label == "Last" }
            _ = try await test.send("last", [:])
            #expect(try await test.end(id).status == .cancelled)
        }
        return test.world.calls
    }

    @Test("an undo that fails needs attention and names what is not undone", arguments: Setting.all)
    func failedUndo(_ setting: Setting) async throws {
        let world = FakeWorld { request in
            request.url.hasSuffix("refunds") ? .json(422, "{}") : .json(200, "{}")
        }
        let test = try TestHost(setting, scripts: ["s.lua": script(SagaTests.body)], world: world)
        try await test.run { test in
            let id = try await test.begin("s").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 3 * 86_400_000)
            let run = try await test.end(id)
            #expect(run.status == .attention)
            #expect(run.problem?["code"] == "PG2100")
            #expect(run.problem?["not_undone"] == ["Refund", "Release"])
            #expect(!world.calls.contains("DELETE https://a.example/holds"))
        }
    }

    @Test("a branch that is stopped undoes what it did")
    func stoppedBranch() async throws {
        let body = """
            local r, err = try(parallel, "All", {
              order = function() \(SagaTests.body) end,
              bad = function() sleep("1h") error("no") end,
            }, { on_error = "stop" })
            return err.message
            """
        let test = try TestHost(scripts: ["s.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("s").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(id).result?.string?.hasSuffix("no") == true)
            #expect(
                test.world.calls.suffix(2) == [
                    "POST https://a.example/refunds", "DELETE https://a.example/holds",
                ])
        }
    }

    @Test(
        "says what is wrong with an undo",
        arguments: ["undo(\"U\", http.post(\"X\", { url = \"https://a.example\" }))", "undo(\"U\")"])
    func wrongUndo(_ call: String) async throws {
        let test = try TestHost(scripts: ["s.lua": script("saga(\"S\", function(undo) \(call) end)")])
        try await test.run { test in
            let run = try await test.result(of: "s")
            #expect(run.problem?["code"] == "PG1091")
        }
    }
}
