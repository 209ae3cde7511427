@testable import Perigee
import Foundation
import PerigeeJournal
import PerigeeLua
import PerigeeTesting
import Synchronization
import Testing

@Suite("Recovery", .timeLimit(.minutes(5)))
struct RecoveryTests {
    /// Three calls, a sleep and an approval, with an event and a note in between.
    private static let long = script(
        """
        local a = http.post("First", { url = "https://a.example/1" }).json.n
        log.info("after first")
        sleep("Pause", "1h")
        local b = http.post("Second", { url = "https://a.example/2" }).json.n
        emit("half", { a = a, b = b })
        local d = ask.approval("OK?", { timeout = "9d" })
        local c = http.post("Third", { url = "https://a.example/3" }).json.n
        return { a, b, c, d.outcome, flow.uuid(), flow.random(1000000) }
        """)

    /// Pushes a run to its end: moves the clock and decides, whenever it waits.
    private func push(_ test: TestHost, _ id: String, while goesOn: () -> Bool = { true }) async throws
        -> RunRecord?
    {
        while goesOn() {
            let run = try await test.host.run(id: id)
            if run.status.isFinal || run.status == .attention { return run }
            if let wait = run.waits.first {
                if case .approval = wait.kind {
                    _ = try? await test.host.decide(approval: wait.id, outcome: "approve", by: "ana")
                } else {
                    test.clock.advance(milliseconds: 3_600_000)
                }
            }
            await Task.yield()
        }
        return nil
    }

    @Test(
        "A run survives a crash at every commit: each outcome once, each call with one key",
        arguments: [false, true])
    func everyCommit(_ after: Bool) async throws {
        var commit = 1
        while true {
            let store = MemoryJournal()
            let world = FakeWorld { request in
                .json(200, "{\"n\": \(request.url.suffix(1))}")
            }
            let crashing = CrashingJournal(store, at: commit, after: after)
            let clock = ManualClock()
            let first = try TestHost(
                scripts: ["long.lua": RecoveryTests.long], world: world, clock: clock, journal: crashing)
            try await first.start()
            let id = try await first.begin("long").id
            let finished = try await push(first, id) { !crashing.hasCrashed }
            try await first.stop()
            if finished?.status == .completed, !crashing.hasCrashed { break }

            clock.advance(milliseconds: 60_000)
            let second = try TestHost(
                scripts: [:], world: world, clock: clock, journal: store, folder: first.folder)
            try await second.run { test in
                let run = try #require(try await push(test, id))
                #expect(run.status == .completed, "crash at commit \(commit)")
                #expect(run.result?.array?.prefix(4) == [1, 2, 3, "approve"])
                let entries = try await test.host.history(run: id).entries
                #expect(entries.map(\.sequence) == Array(1...entries.count))
                var seen: Set<StepAddress> = []
                for case .stepCompleted(let step, _, _, _) in entries.map(\.fact) {
                    #expect(seen.insert(step.address).inserted, "\(step.address) was recorded twice")
                }
                #expect(Set(world.requests.map { $0.header("Idempotency-Key") }).count == 3)
                let notes = try await test.host.history(run: id).annotations.filter { $0.kind == .log }
                #expect(notes.count == 1, "crash at commit \(commit)")
            }
            commit += 1
            #expect(commit < 30)
        }
        #expect(commit > 5)
    }

    @Test(
        "A finished result never changes: uuid and random are the same in every replay",
        arguments: Setting.all)
    func deterministic(_ setting: Setting) async throws {
        let body =
            "local a = { flow.uuid(), flow.random(1000), math.random(1000) } sleep(\"1h\") return { a, flow.uuid() }"
        let test = try TestHost(setting, scripts: ["r.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("r").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 3_600_000)
            let result = try await test.end(id).result
            var random = SeededRandom(run: id)
            #expect(result?.array?.first?.array?.first == .string(random.uuid()))
        }
    }

    @Test("A script that goes another way than its record needs attention, and does nothing")
    func divergence() async throws {
        let world = FakeWorld()
        let store = MemoryJournal()
        // What is no part of the contract decides here: the number of times that this process loaded the script.
        let body = "http.post(config \"WHICH\", { url = \"https://a.example\" }) sleep(\"1h\") return 1"
        let which = Mutex("One")
        let test = try TestHost(scripts: ["d.lua": script(body)], world: world, journal: store) { options in
            options.residentRuns = 0
            options.settings = Settings(secret: { _ in nil }, config: { _ in which.withLock { $0 } })
        }
        try await test.run { test in
            let id = try await test.begin("d").id
            _ = try await test.run(id, reaches: .waiting)
            which.withLock { $0 = "Two" }
            test.clock.advance(milliseconds: 3_600_000)
            // A setting is recorded when it is read first, so even this run goes on as it began.
            #expect(try await test.end(id).status == .completed)
            #expect(world.requests.count == 1)
        }
    }

    @Test("The guard lets a step that is not recorded run only after everything that is")
    func guardRefuses() throws {
        let run = RunRecord(
            id: "run_1", number: 1, namespace: "default", workflow: "w", version: 1, bundle: "b",
            status: .running, key: nil,
            input: [], trigger: [], correlationID: "c", createdAt: Timestamp(milliseconds: 0), epoch: 1)
        let recorded = Step(
            address: StepAddress(label: "Charge", occurrence: 1), verb: "http.post",
            arguments: Payload("{}".utf8), line: 1)
        let entry = Entry(
            sequence: 1, recordedAt: Timestamp(milliseconds: 5),
            fact: .stepCompleted(
                recorded, .success(Payload("7".utf8)), attempts: 1, startedAt: Timestamp(milliseconds: 1)))
        func request(_ label: String) -> StepRequest {
            StepRequest(
                verb: "http.post", label: label,
                arguments: Payload(#"{"method":"POST","url":"https://a.example"}"#.utf8),
                secrets: [], line: 3)
        }
        let claimed = ClaimedRun(run: run, answers: [])
        var edited = RunMachine(claimed, entries: [entry], publicURL: "")
        _ = edited.nextReady()
        guard case .suspend = edited.request(request("Check stock"), at: Timestamp(milliseconds: 9)),
            case .diverged(let divergence) = edited.settle(at: Timestamp(milliseconds: 9))
        else {
            Issue.record("the inserted step ran")
            return
        }
        #expect(
            divergence.reason
                == "\"Charge\" already ran, and the script now comes to \"Check stock\" (line 3) first")
        var same = RunMachine(claimed, entries: [entry], publicURL: "")
        _ = same.nextReady()
        guard
            case .deliver(.success(let value)) = same.request(
                request("Charge"), at: Timestamp(milliseconds: 9))
        else {
            Issue.record("the record was not delivered")
            return
        }
        #expect(value == Payload("7".utf8))
        #expect(same.scriptTime == Timestamp(milliseconds: 5))
        guard case .suspend = same.request(request("Charge"), at: Timestamp(milliseconds: 9)) else {
            Issue.record("the second Charge is a step of its own")
            return
        }
    }

    @Test("A run that is cancelled sends nothing more, however long the journal takes")
    func cancelledDuringCommit() async throws {
        let goesOn = Readiness()
        let isCommitting = Readiness()
        // The commit before the call is held up until the run has been cancelled.
        let journal = CrashingJournal(MemoryJournal(), at: nil, after: false) { commits in
            let hasBegun = commits.contains { commit in
                commit.entries.contains { if case .stepCompleted = $0.fact { true } else { false } }
            }
            guard hasBegun else { return }
            isCommitting.open()
            await goesOn.wait()
        }
        let body = "call(\"Begin\", \"begun\") http.post(\"After\", { url = \"https://a.example\" })"
        let test = try TestHost(scripts: ["c.lua": script(body)], journal: journal)
        test.host.register("begun") { (_: String?, _: CallContext) async in true }
        try await test.run { test in
            let id = try await test.begin("c").id
            await isCommitting.wait()
            _ = try await test.host.cancel(run: id, by: "ana")
            goesOn.open()
            #expect(try await test.end(id).status == .cancelled)
            #expect(test.world.requests.isEmpty)
        }
    }

    @Test("A host that lost its lease records nothing more")
    func fencing() async throws {
        let store = MemoryJournal()
        let clock = ManualClock()
        let gate = Readiness()
        let world = FakeWorld()
        let test = try TestHost(
            scripts: [
                "f.lua": script(
                    "call(\"Slow\", \"slow\") http.post(\"After\", { url = \"https://a.example\" }) return 1")
            ],
            world: world, clock: clock, journal: store)
        test.host.register("slow") { (_: String?, _: CallContext) async in
            await gate.wait()
            return true
        }
        try await test.run { test in
            let id = try await test.begin("f").id
            let number = try await test.run(id, reaches: .running).number
            // Another host finds the lease over and takes the run.
            clock.advance(milliseconds: 1)
            let later = clock.now.adding(milliseconds: 3_600_000)
            _ = try await store.heartbeat(
                host: "other", now: later, leaseUntil: later.adding(milliseconds: 60_000))
            let claim = try await store.claim(
                host: "other", namespace: "default", now: later, limit: 1, only: nil)
            #expect(claim.runs.map(\.run.number) == [number])
            gate.open()
            while test.host.dispatcher.activeCount > 0 { await Task.yield() }
            #expect(world.requests.isEmpty)
            #expect(try await store.entries(run: number, after: 0, limit: 10).isEmpty)
        }
    }

    @Test("A replay has as much room for nested calls as the run had", arguments: Setting.all)
    func nesting(_ setting: Setting) async throws {
        // Lua allows 200 nested calls through C, and counts anew after a wait.
        let body = """
            local function pause(text) flow.status(text) sleep("1h") end
            local function nest(n, go) if n == 0 then return go() end return select(2, pcall(nest, n - 1, go)) end
            return nest(80, function()
              pause("1")
              return nest(80, function()
                pause("2")
                return nest(80, function() pause("3") return "deep" end)
              end)
            end)
            """
        let test = try TestHost(setting, scripts: ["deep.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("deep").id
            for stage in 1...3 {
                _ = try await test.until(id) { $0.status == .waiting && $0.statusText == "\(stage)" }
                test.clock.advance(milliseconds: 3_600_000)
            }
            #expect(try await test.end(id).result == "deep")
        }
    }
}
