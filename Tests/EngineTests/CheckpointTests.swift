import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("checkpoint", .timeLimit(.minutes(5)))
struct CheckpointTests {
    @Test("keeps one value and not the steps inside", arguments: Setting.all)
    func keepsOneValue(_ setting: Setting) async throws {
        let body = """
            local total = checkpoint("Sum", function()
              local sum = 0
              for i = 1, 5 do
                sum = sum + http.get("Page", { url = "https://a.example/" .. i }).json.n
                if i == 3 then sleep("1h") end
              end
              return sum
            end)
            local none = checkpoint("Nothing", function() http.get("Page", { url = "https://a.example/0" }) end)
            sleep("2h")
            return { total, none == nil }
            """
        let world = FakeWorld { request in .json(200, "{\"n\":\(request.url.suffix(1))}") }
        let test = try TestHost(setting, scripts: ["c.lua": script(body)], world: world)
        try await test.run { test in
            let id = try await test.begin("c").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 3_600_000)
            _ = try await test.until(id) {
                $0.waits.first?.dueAt == test.clock.now.adding(milliseconds: 7_200_000)
            }
            let labels = try await test.host.history(run: id).entries.map { entry -> String in
                switch entry.fact {
                case .stepCompleted(let step, _, _, _), .waitOpened(let step, _, _), .attemptBegun(let step):
                    step.address.description
                default: ""
                }
            }
            #expect(labels == ["/Sum#1", "/Nothing#1", "/Sleep#1"])
            test.clock.advance(milliseconds: 7_200_000)
            #expect(try await test.end(id).result == [15, true])
            #expect(world.requests.count == 6)
        }
    }

    @Test("keeps its steps when it fails, and is run again when it is asked again", arguments: Setting.all)
    func fails(_ setting: Setting) async throws {
        let body = """
            local ok, err = pcall(checkpoint, "Try", function()
              http.get("Call", { url = "https://a.example/1" })
              error("no")
            end)
            sleep("1h")
            local bad = select(2, pcall(checkpoint, "Bad", function() return print end))
            return { ok, checkpoint("Try", function() return 2 end), bad.code }
            """
        let test = try TestHost(setting, scripts: ["c.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("c").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(id).result == [false, 2, "PG1020"])
            #expect(test.world.requests.count == 1)
        }
    }

    @Test("flow.changed is true for runs that reach it first in a version that has it, and stays so")
    func changed() async throws {
        let old = "sleep(\"A\", \"1h\") sleep(\"B\", \"1h\") return false"
        let new =
            "local c = flow.changed(\"x\") sleep(\"A\", \"1h\") sleep(\"B\", \"1h\") return { c, flow.changed(\"x\"), flow.changed(\"y\") }"
        let test = try TestHost(scripts: ["v.lua": script(old)]) { options in
            options.reload = .moveWhenSafe
            options.residentRuns = 0
        }
        try await test.run { test in
            let before = try await test.begin("v").id
            _ = try await test.run(before, reaches: .waiting)
            try TestHost.write(script(new), to: "v.lua", in: test.scripts)
            test.clock.advance(milliseconds: 500)
            _ = try await test.until(before) { $0.version == 2 }
            let after = try await test.begin("v").id
            for id in [before, after] { _ = try await test.run(id, reaches: .waiting) }
            for _ in 1...2 {
                test.clock.advance(milliseconds: 3_600_000)
                for id in [before, after] {
                    _ = try await test.until(id) { run in
                        run.status.isFinal || run.waits.first?.dueAt.map { $0 > test.clock.now } ?? false
                    }
                }
            }
            #expect(try await test.end(before).result == [false, false, true])
            #expect(try await test.end(after).result == [true, true, true])
        }
    }

    @Test(
        "flow.changed may stand in a checkpoint that has ended, and may be taken out", arguments: Setting.all)
    func changedInside(_ setting: Setting) async throws {
        let body = """
            local inside = checkpoint("Read", function() return flow.changed("x") end)
            sleep("A", "1h")
            sleep("B", "1h")
            return { inside, flow.changed("x") }
            """
        let test = try TestHost(setting, scripts: ["c.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("c").id
            for label in ["A", "B"] {
                _ = try await test.until(id) { $0.waits.first?.address.label == label }
                test.clock.advance(milliseconds: 3_600_000)
            }
            #expect(try await test.end(id).result == [true, true])
        }
    }

    @Test("was = keeps a renamed step")
    func renamed() async throws {
        let old = "http.post(\"Look up\", { url = \"https://a.example\" }) sleep(\"1h\") return 1"
        let test = try TestHost(scripts: ["r.lua": script(old)]) { $0.reload = .moveWhenSafe }
        try await test.run { test in
            let id = try await test.begin("r").id
            _ = try await test.run(id, reaches: .waiting)
            let new = old.replacing("Look up\", {", with: "Find\", { was = \"Look up\",").replacing(
                "return 1", with: "return 2")
            try TestHost.write(script(new), to: "r.lua", in: test.scripts)
            test.clock.advance(milliseconds: 500)
            _ = try await test.until(id) { $0.version == 2 }
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(id).result == 2)
            #expect(test.world.requests.count == 1)
        }
    }
}
