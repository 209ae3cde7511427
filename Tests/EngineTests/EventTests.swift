import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("Events and starts", .timeLimit(.minutes(5)))
struct EventTests {
    private static let lead = script(
        "return input.id",
        options:
            "on = { event = \"lead.created\", match = { country = { \"DE\", \"FR\" } } }, key = \"lead:{id}\", input = { id = \"string\", email = \"email?\" },"
    )

    @Test("an event starts the workflows that match it", arguments: Setting.all)
    func starts(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["lead.lua": EventTests.lead])
        try await test.run { test in
            let receipt = try await test.send("lead.created", ["id": "L1", "country": "DE"])
            #expect(receipt.runs.count == 1)
            #expect(try await test.end(receipt.runs[0]).result == "L1")
            #expect(try await test.send("lead.created", ["id": "L2", "country": "US"]).runs.isEmpty)
            #expect(try await test.send("other", ["id": "L2"]).runs.isEmpty)
        }
    }

    @Test("the same event twice starts nothing twice", arguments: Setting.all)
    func duplicates(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["lead.lua": EventTests.lead])
        try await test.run { test in
            let first = try await test.send("lead.created", ["id": "L1", "country": "DE"], id: "e1")
            let second = try await test.send("lead.created", ["id": "L1", "country": "DE"], id: "e1")
            #expect(second.isDuplicate && second.runs == first.runs && second.eventID == first.eventID)
        }
    }

    @Test("the same key never gets two runs", arguments: Setting.all)
    func keys(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["lead.lua": EventTests.lead])
        try await test.run { test in
            let first = try await test.send("lead.created", ["id": "L1", "country": "DE"])
            let second = try await test.send("lead.created", ["id": "L1", "country": "FR"])
            #expect(first.runs == second.runs)
            let byHand = try await test.begin("lead", ["id": "L1"])
            #expect(byHand.id == first.runs[0])
            #expect(byHand.key == "lead:L1")
        }
    }

    @Test(
        "an input that does not fit is refused with every fault, or kept where people see it",
        arguments: Setting.all)
    func faults(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["lead.lua": EventTests.lead])
        try await test.run { test in
            let error = await #expect(throws: HostError.self) {
                try await test.begin("lead", ["email": "nobody"])
            }
            #expect(error?.faults.map(\.pointer) == ["/email", "/id"])
            #expect(error?.status == 422)
            let kept = try await test.send("lead.created", ["country": "DE", "id": 5])
            let run = try await test.host.run(id: try #require(kept.runs.first))
            #expect(run.status == .attention)
            #expect(run.problem?["errors"]?.array?.first?["pointer"] == "/id")
        }
    }

    @Test("an emitted event reaches other workflows exactly once", arguments: Setting.all)
    func emits(_ setting: Setting) async throws {
        let test = try TestHost(
            setting,
            scripts: [
                "first.lua": script(
                    "emit(\"step.done\", { n = 1 }) sleep(\"1h\") emit(\"step.done\", { n = 2 }) return true"),
                "second.lua": script("return input.n", options: "on = { event = \"step.done\" },"),
            ])
        try await test.run { test in
            let id = try await test.begin("first").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 3_600_000)
            let first = try await test.end(id)
            let runs = try await test.host.runs(RunQuery(namespace: "default", workflows: ["second"])).runs
            #expect(runs.count == 2)
            var results: Set<JSON> = []
            for run in runs {
                #expect(run.correlationID == first.correlationID)
                if let result = try await test.end(run.id).result { results.insert(result) }
            }
            #expect(results == [1, 2])
        }
    }

    @Test("what came of what is told by events, runs and calls", arguments: Setting.all)
    func correlation(_ setting: Setting) async throws {
        let first = """
            http.post("Call", { url = "https://a.example/x" })
            emit("step.done", { n = 1 })
            local answer = wait.event("Answer", { event = "answer" })
            return { answer.correlation_id, answer.causation_id }
            """
        let second = "emit(\"answer\", {}) return { flow.run.correlation_id, flow.run.trigger.causation_id }"
        let test = try TestHost(
            setting,
            scripts: [
                "first.lua": script(first, options: "on = { event = \"order.paid\" },"),
                "second.lua": script(second, options: "on = { event = \"step.done\" },"),
            ])
        try await test.run { test in
            let event = NewEvent(
                type: "order.paid", data: [:], correlationID: "order-7", causationID: "cart-3")
            let receipt = try #require(try await test.host.send([event]).first?.get())
            let run = try await test.end(try #require(receipt.runs.first))
            #expect(run.correlationID == "order-7")
            #expect((try? JSON(parsing: run.trigger))?["causation_id"] == "cart-3")
            #expect(test.world.requests.map { $0.header("X-Correlation-Id") } == ["order-7"])
            let other = try #require(
                try await test.host.runs(RunQuery(namespace: "default", workflows: ["second"])).runs.first)
            #expect(try await test.end(other.id).result == ["order-7", .string(run.id)])
            #expect(run.result == ["order-7", .string(other.id)])
        }
    }

    @Test("an id that could not stand in a header is refused")
    func unfitCorrelation() async throws {
        let test = try TestHost(scripts: ["any.lua": script("return 1")])
        try await test.run { test in
            for id in ["", "a b", "a\r\nX: 1", String(repeating: "x", count: 513)] {
                let sent = try await test.host.send([NewEvent(type: "t", data: .null, correlationID: id)])
                    .first
                #expect(throws: HostError.self) { try sent?.get() }
            }
        }
    }

    @Test("an idempotency key stands for one request", arguments: Setting.all)
    func idempotency(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["any.lua": script("return 1")])
        try await test.run { test in
            let start: (JSON) async throws -> Result<RunRecord, HostError>? = { input in
                try await test.host.start([NewStart(workflow: "any", input: input, idempotencyKey: "k")])
                    .first
            }
            let first = try await start(["a": 1])?.get()
            #expect(try await start(["a": 1])?.get().id == first?.id)
            guard case .failure(let error)? = try await start(["a": 2]) else {
                Issue.record("accepted")
                return
            }
            #expect(error.code == "PG3003" && error.status == 422)
        }
    }

    @Test("a hook starts its workflow, and says what it does not take")
    func hooks() async throws {
        let test = try TestHost(
            scripts: [
                "order.lua": script(
                    "return input.id",
                    options: "on = { http = \"POST /orders/new\" }, input = { id = \"string\" },")
            ])
        try await test.run { test in
            let run = try #require(
                try await test.host.hook(method: "POST", path: "/orders/new/", body: ["id": "o1"]))
            #expect(try await test.end(run.id).result == "o1")
            #expect(try await test.host.hook(method: "POST", path: "elsewhere", body: .null) == nil)
            let method = await #expect(throws: HostError.self) {
                try await test.host.hook(method: "GET", path: "orders/new", body: .null)
            }
            #expect(method?.status == 405)
            let input = await #expect(throws: HostError.self) {
                try await test.host.hook(method: "POST", path: "orders/new", body: ["id": 1])
            }
            #expect(input?.status == 422)
        }
    }

    @Test("a batch is one commit, and a bad member does not fail the others", arguments: Setting.all)
    func batch(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["lead.lua": EventTests.lead])
        try await test.run { test in
            let starts = [
                NewStart(workflow: "lead", input: ["id": "A"]), NewStart(workflow: "led", input: ["id": "B"]),
                NewStart(workflow: "lead", input: .object([:])),
                NewStart(workflow: "lead", input: ["id": "C"]),
            ]
            let results = try await test.host.start(starts)
            #expect(results.map { (try? $0.get()) != nil } == [true, false, false, true])
            guard case .failure(let unknown) = results[1] else { return }
            #expect(unknown.hint == "Did you mean \"lead\"?")
        }
    }
}
