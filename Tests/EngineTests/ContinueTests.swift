@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("flow.continue", .timeLimit(.minutes(5)))
struct ContinueTests {
    @Test("A run goes on as a fresh one, with its key and with links both ways", arguments: Setting.all)
    func goesOn(_ setting: Setting) async throws {
        let body =
            "if input.n < 3 then flow.continue { n = input.n + 1 } end return { input.n, flow.run.key }"
        let test = try TestHost(setting, scripts: ["c.lua": script(body)])
        try await test.run { test in
            let first = try await test.begin("c", ["n": 1], key: "k")
            var run = try await test.end(first.id)
            #expect(run.status == .continued)
            #expect(run.output == nil && run.key == "k")
            for _ in 0..<2 {
                let next = try #require(run.continuedAs)
                let following = try await test.end(next)
                #expect(following.continuedFrom == run.id)
                #expect(following.correlationID == first.correlationID)
                #expect(
                    (try? JSON(parsing: following.trigger)) == ["type": "continued", "run": .string(run.id)])
                run = following
            }
            #expect(run.result == [3, "k"])
            #expect(try await test.begin("c", ["n": 1], key: "k").id == run.id)
            let result = try await RunHandle(id: first.id, host: test.host).result(
                as: ContinueTests.Result.self)
            #expect(result == Result(number: 3, key: "k"))
        }
    }

    private struct Result: Decodable, Equatable {
        var number: Int
        var key: String

        init(number: Int, key: String) {
            self.number = number
            self.key = key
        }

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            number = try list.decode(Int.self)
            key = try list.decode(String.self)
        }
    }

    @Test("A parent that waits gets the result of the last one", arguments: Setting.all)
    func parent(_ setting: Setting) async throws {
        let child = script(
            "sleep(\"1h\") if input.n < 3 then flow.continue { n = input.n + 1 } end return input.n")
        let test = try TestHost(
            setting,
            scripts: ["c.lua": child, "p.lua": script("return flow.call(\"Ask\", \"c\", { n = 1 })")])
        try await test.run { test in
            let id = try await test.begin("p").id
            var seen: Set<String> = []
            for _ in 0..<3 {
                let run = try await test.until(id) { run in
                    guard case .child(let child)? = run.waits.first?.kind else { return false }
                    return !seen.contains(child)
                }
                guard case .child(let child)? = run.waits.first?.kind else { return }
                seen.insert(child)
                let waiting = try await test.run(child, reaches: .waiting)
                #expect(waiting.parent?.run == id)
                test.clock.advance(milliseconds: 3_600_000)
                _ = try await test.end(child)
                // The parent is not told of what its wait turns to.
                test.host.activityHub.send(.runChanged(id: id))
            }
            #expect(try await test.end(id).result == 3)
            #expect(try await test.host.relations(run: id).childCount == 3)
        }
    }

    @Test("No event is lost in between, and none is seen twice", arguments: Setting.all)
    func events(_ setting: Setting) async throws {
        let body = """
            local event = wait.event("Next", { event = "tick" })
            if event.data.n == 3 then return input.seen end
            local seen = input.seen
            seen[#seen + 1] = event.data.n
            flow.continue { seen = seen }
            """
        let test = try TestHost(setting, scripts: ["c.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("c", ["seen": []]).id
            for number in 1...3 { _ = try await test.send("tick", ["n": .int(Int64(number))]) }
            var run = try await test.end(id)
            while let next = run.continuedAs { run = try await test.end(next) }
            #expect(run.result == [1, 2])
        }
    }

    @Test("The fresh run is on the newest version, and an input that does not fit is an error at the call")
    func version() async throws {
        let body =
            "local _, err = try(flow.continue, { n = \"x\" }) return { err.code, err.errors[1].pointer }"
        let test = try TestHost(scripts: ["c.lua": script(body, options: "input = { n = \"integer\" },")])
        try await test.run { test in
            let id = try await test.begin("c", ["n": 1]).id
            #expect(try await test.end(id).result == ["PG1131", "/n"])
        }
    }

    @Test("What holds a lock gives it back", arguments: Setting.all)
    func locks(_ setting: Setting) async throws {
        let body = """
            return flow.lock("Mine", "k", function()
              if input.n == 1 then flow.continue { n = 2 } end
              return "second"
            end)
            """
        let test = try TestHost(setting, scripts: ["c.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("c", ["n": 1]).id
            let next = try #require(try await test.end(id).continuedAs)
            #expect(try await test.end(next).result == "second")
        }
    }
}
