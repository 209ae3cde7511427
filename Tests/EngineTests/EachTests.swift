import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("each", .timeLimit(.minutes(5)))
struct EachTests {
    @Test("runs a function for every item and counts how they ended", arguments: Setting.all)
    func counts(_ setting: Setting) async throws {
        let body = """
            local list = {}
            for i = 1, 20 do list[i] = { id = "c" .. i, n = i } end
            local done = each("Fix", list, function(item)
              local r = http.post("Send", { url = "https://a.example/" .. item.n, retry = { max_attempts = 1 } })
              if item.n == 3 then sleep("1h") end
              return r.json.n
            end, { key = "id", at_once = 4, on_error = "continue" })
            local sum = 0
            for _, one in ipairs(done.items) do sum = sum + (one.value or 0) end
            return { done.ok, done.failed, sum, done.items[7].key, done.items[7].error.status }
            """
        let world = FakeWorld { request in
            let n = request.url.split(separator: "/").last.map(String.init) ?? "0"
            return n == "7" ? .json(422, "{}") : .json(200, "{\"n\":\(n)}")
        }
        let test = try TestHost(setting, scripts: ["e.lua": script(body)], world: world)
        try await test.run { test in
            let id = try await test.begin("e").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(id).result == [19, 1, 203, "c7", 422])
            #expect(Set(world.calls).count == 20)
            #expect(world.calls.count == 20)
        }
    }

    @Test("a list in another order still finds each item's steps by its key")
    func keys() async throws {
        let world = FakeWorld()
        // The list comes from a setting that is read anew: what a script that sorts by chance would do.
        let body = """
            local list = { "a", "b", "c" }
            if flow.changed("turned") then list = { "c", "a", "b" } end
            each("Send", list, function(name) http.post("Call", { url = "https://a.example/" .. name }) end,
              { key = function(name) return name end, at_once = 1 })
            sleep("1h")
            return #list
            """
        let old = body.replacing(
            "if flow.changed(\"turned\") then list = { \"c\", \"a\", \"b\" } end", with: "")
        let test = try TestHost(scripts: ["k.lua": script(old)], world: world) { $0.reload = .moveWhenSafe }
        try await test.run { test in
            let id = try await test.begin("k").id
            _ = try await test.run(id, reaches: .waiting)
            try TestHost.write(
                script(old.replacing("\"a\", \"b\", \"c\"", with: "\"c\", \"a\", \"b\"")), to: "k.lua",
                in: test.scripts)
            test.clock.advance(milliseconds: 500)
            _ = try await test.until(id) { $0.version == 2 }
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(id).result == 3)
            #expect(world.requests.count == 3)
        }
    }

    @Test(
        "says which item's key is wrong",
        arguments: [
            ("{ { id = 1 }, { id = 1 } }", "the same key as item 1"), ("{ { id = 1 }, {} }", "no key"),
            ("{ { id = {} } }", "a table"),
        ])
    func wrongKeys(_ list: String, _ words: String) async throws {
        let body = "each(\"E\", \(list), function() end, { key = \"id\" })"
        let test = try TestHost(scripts: ["e.lua": script(body)])
        try await test.run { test in
            let run = try await test.result(of: "e")
            #expect(run.problem?["code"] == "PG1090")
            #expect(run.problem?["message"]?.string?.contains(words) == true)
        }
    }
}
