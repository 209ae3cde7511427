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

    /// A journal that fails for good at one commit, before or after it is durable, as a crash of the host does.
    final class CrashingJournal: Journal {
        let base: any Journal
        private let left: Mutex<Int?>
        private let isAfter: Bool
        /// Looks at every batch first, and may hold it up.
        private let before: @Sendable ([Commit]) async -> Void

        init(
            _ base: any Journal, at commit: Int?, after: Bool,
            before: @escaping @Sendable ([Commit]) async -> Void = { _ in }
        ) {
            self.base = base
            self.before = before
            left = Mutex(commit)
            isAfter = after
        }

        var hasCrashed: Bool { left.withLock { $0.map { $0 <= 0 } ?? false } }

        private func gate<T: Sendable>(_ body: () async throws -> T) async throws -> T {
            let crashes = left.withLock { left -> Bool in
                guard let count = left else { return false }
                left = count - 1
                return count <= 1
            }
            guard crashes else { return try await body() }
            let isLast = left.withLock { $0 == 0 }
            if isAfter && isLast { _ = try await body() }
            throw JournalError.io(path: "test", detail: "crashed")
        }

        func commit(_ commits: [Commit]) async throws -> [Result<CommitReceipt, JournalError>] {
            await before(commits)
            return try await gate { try await base.commit(commits) }
        }
        func heartbeat(host: String, now: Timestamp, leaseUntil: Timestamp) async throws -> Heartbeat {
            try await base.heartbeat(host: host, now: now, leaseUntil: leaseUntil)
        }
        func release(host: String, now: Timestamp) async throws {
            if hasCrashed { throw JournalError.io(path: "test", detail: "crashed") }
            try await base.release(host: host, now: now)
        }
        func claim(host: String, namespace: String, now: Timestamp, limit: Int, only: Int64?) async throws
            -> Claim
        {
            if hasCrashed { throw JournalError.io(path: "test", detail: "crashed") }
            return try await base.claim(host: host, namespace: namespace, now: now, limit: limit, only: only)
        }
        func submit(_ submissions: [Submission], now: Timestamp) async throws -> [Result<
            SubmissionReceipt, JournalError
        >] {
            try await base.submit(submissions, now: now)
        }
        func decide(approval: String, _ decision: Decision) async throws -> (
            approval: ApprovalRecord, isNew: Bool
        )? {
            try await base.decide(approval: approval, decision)
        }
        func cancel(run: String, error: Payload, isForced: Bool, now: Timestamp) async throws -> Cancellation?
        {
            try await base.cancel(run: run, error: error, isForced: isForced, now: now)
        }
        func act(on run: String, _ action: RunAction, note: ActionNote, now: Timestamp) async throws
            -> ActionResult?
        {
            try await base.act(on: run, action, note: note, now: now)
        }
        func audit(_ query: AuditQuery) async throws -> AuditPage { try await base.audit(query) }
        func createBatch(_ batch: Batch, runs: [String]) async throws -> Batch {
            try await base.createBatch(batch, runs: runs)
        }
        func steerBatch(_ id: String, to status: Batch.Status, note: ActionNote, now: Timestamp) async throws
            -> (batch: Batch, isChanged: Bool)?
        {
            try await base.steerBatch(id, to: status, note: note, now: now)
        }
        func refuseItem(batch: String, run: String, error: Payload, now: Timestamp) async throws {
            try await base.refuseItem(batch: batch, run: run, error: error, now: now)
        }
        func batch(id: String) async throws -> Batch? { try await base.batch(id: id) }
        func batches(namespace: String, isFinal: Bool?, limit: Int) async throws -> [Batch] {
            try await base.batches(namespace: namespace, isFinal: isFinal, limit: limit)
        }
        func batchItems(_ query: BatchItemQuery) async throws -> [BatchItem] {
            try await base.batchItems(query)
        }
        func activeRuns(batch: String) async throws -> Int { try await base.activeRuns(batch: batch) }
        func version(namespace: String, workflow: String, number: Int) async throws -> WorkflowVersion? {
            try await base.version(namespace: namespace, workflow: workflow, number: number)
        }
        func saveVersion(
            namespace: String, workflow: String, bundle: String, files: [String: String],
            rules: WorkflowRules, now: Timestamp
        ) async throws -> WorkflowVersion {
            try await base.saveVersion(
                namespace: namespace, workflow: workflow, bundle: bundle, files: files,
                rules: rules, now: now)
        }
        func files(bundle: String) async throws -> [String: String]? { try await base.files(bundle: bundle) }
        func entries(run: Int64, after: Int, limit: Int) async throws -> [Entry] {
            try await base.entries(run: run, after: after, limit: limit)
        }
        func run(id: String) async throws -> RunRecord? { try await base.run(id: id) }
        func runs(_ query: RunQuery) async throws -> RunPage { try await base.runs(query) }
        func relations(run id: String) async throws -> RunRelations? { try await base.relations(run: id) }
        func state(namespace: String, workflow: String, key: String) async throws -> Payload? {
            try await base.state(namespace: namespace, workflow: workflow, key: key)
        }
        func history(run id: String) async throws -> RunHistory? { try await base.history(run: id) }
        func approval(id: String) async throws -> ApprovalRecord? { try await base.approval(id: id) }
        func approvals(
            namespace: String, status: ApprovalStatus?, kinds: Set<ApprovalKind>, limit: Int
        ) async throws -> [ApprovalRecord] {
            try await base.approvals(namespace: namespace, status: status, kinds: kinds, limit: limit)
        }
        func dueReminders(namespace: String, now: Timestamp, limit: Int) async throws -> DueReminders {
            try await base.dueReminders(namespace: namespace, now: now, limit: limit)
        }
        func remind(
            _ reminders: [Reminder], now: Timestamp
        ) async throws -> [Result<ReminderReceipt, JournalError>] {
            try await base.remind(reminders, now: now)
        }
        func removeExpired(_ expiry: Expiry, now: Timestamp) async throws -> Removal {
            try await base.removeExpired(expiry, now: now)
        }
        func schedules(namespace: String) async throws -> [ScheduleRecord] {
            try await base.schedules(namespace: namespace)
        }
        func advance(_ advance: ScheduleAdvance, now: Timestamp) async throws -> ScheduleReceipt? {
            try await base.advance(advance, now: now)
        }
        func checkWritable() async throws { try await base.checkWritable() }
    }

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
