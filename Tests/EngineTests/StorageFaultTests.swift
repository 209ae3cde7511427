import FaultyDisk
import Foundation
import Perigee
import PerigeeJournal
import PerigeeSQLite
import PerigeeTesting
import Testing

/// A host whose disk fails now and then: its runs end as if it never had.
///
/// PERIGEE_SIMULATE_SECONDS makes it go on for longer; PERIGEE_SEED repeats one trial, as far as threads let it.
@Suite("A host on a disk that fails", .timeLimit(.minutes(60)))
struct StorageFaultTests {
    private static let seconds =
        ProcessInfo.processInfo.environment["PERIGEE_SIMULATE_SECONDS"].flatMap { Double($0) } ?? 5

    private static let work = script(
        """
        local url = "https://a.example/" .. input.name .. "/"
        local a = http.post("First", { url = url .. "1", auth = secret "TOKEN" }).json.n
        sleep("Pause", "1h")
        local b = http.post("Second", { url = url .. "2", auth = secret "TOKEN" }).json.n
        local paid = wait.event("Paid", { event = "paid", match = { name = input.name } })
        local d = ask.approval("OK?")
        local c = http.post("Third", { url = url .. "3" }).json.n
        return { a, b, c, paid.data.sum, d.outcome }
        """)

    @Test("Runs end right, each step is recorded once, and what was acknowledged stays")
    func randomFaults() async throws {
        let given = ProcessInfo.processInfo.environment["PERIGEE_SEED"].flatMap { UInt64($0) }
        let end = ContinuousClock.now + .seconds(Self.seconds)
        repeat {
            let seed = given ?? UInt64.random(in: 0...UInt64(UInt32.max))
            print("PERIGEE_SEED=\(seed)")
            let trial = try HostTrial(seed: seed, script: Self.work)
            try await trial.run()
        } while given == nil && ContinuousClock.now < end
    }

    @Test("A read that fails leaves the run as it is, until the disk can be read again")
    func failingReads() async throws {
        var read: Int64 = 1
        while true {
            let trial = try HostTrial(seed: UInt64(read), script: Self.work)
            guard try await trial.takesUp(withReadFailing: read) else { break }
            read += 1
        }
        #expect(read > 5)
    }
}

/// One life of a few runs, over as many lives of the host as the faults make.
private final class HostTrial {
    private let seed: UInt64
    private var random: SeededRandomness
    private let disk: OpaquePointer
    private let folder: URL
    private let clock = ManualClock()
    private let world = FakeWorld { .json(200, "{\"n\": \($0.url.suffix(1))}") }
    private var host: TestHost?
    private var journal: SQLiteJournal?
    private let names = ["a", "b", "c"]
    /// What the host has acknowledged.
    private var started: [String: String] = [:]
    private var paid: Set<String> = []
    private var decided: Set<String> = []

    init(seed: UInt64, script: String) throws {
        self.seed = seed
        random = SeededRandomness(seed: seed)
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("perigee-\(UUID().uuidString)")
        let scripts = folder.appendingPathComponent("scripts")
        try FileManager.default.createDirectory(at: scripts, withIntermediateDirectories: true)
        try TestHost.write(script, to: "work.lua", in: scripts)
        disk = try #require(faulty_disk_attach(folder.path, seed))
    }

    deinit {
        faulty_disk_detach(disk)
        try? FileManager.default.removeItem(at: folder)
    }

    private func pick(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &random) }

    func run() async throws {
        for _ in 0..<8 {
            try await openHost()
            let faults = [
                FAULTY_DISK_POWER, FAULTY_DISK_WRITE_ERROR, FAULTY_DISK_FULL, FAULTY_DISK_READ_ERROR,
                FAULTY_DISK_SYNC_ERROR,
            ]
            let fault = faults[Int(pick(0...4))]
            faulty_disk_plan(
                disk, fault, pick(1...(fault == FAULTY_DISK_SYNC_ERROR ? 20 : 100)), pick(0...2) == 0 ? 30 : 1
            )
            for _ in 0..<200 where faulty_disk_failures(disk) == 0 { try await push() }
            for _ in 0..<10 where faulty_disk_is_off(disk) == 0 { try await push() }
            faulty_disk_mend(disk)
            for _ in 0..<20 where faulty_disk_is_off(disk) == 0 { try await push() }
            try await crash(keepingCache: pick(0...1) == 0)
        }
        try await openHost()
        try await finish()
    }

    /// Takes runs up in a new host when some reads fail.
    ///
    /// - Returns: whether any did.
    func takesUp(withReadFailing first: Int64) async throws -> Bool {
        try await openHost()
        for _ in 0..<4 { try await push() }
        try await host?.stop()
        host = nil
        try await openHost { faulty_disk_plan(self.disk, FAULTY_DISK_READ_ERROR, first, 2) }
        for _ in 0..<1000 {
            try await push()
            if faulty_disk_is_over(disk) == 1 { break }
        }
        let isReached = faulty_disk_failures(disk) > 0
        faulty_disk_mend(disk)
        try await finish()
        return isReached
    }

    private func finish() async throws {
        var rounds = 0
        while try await !isOver() {
            try await push()
            rounds += 1
            if rounds == 20_000 { try await explain() }
        }
        try await check()
        try await host?.stop()
        host = nil
    }

    /// - Parameter isOpen: called once when the file is open and the host has not begun.
    private func openHost(isOpen: () -> Void = {}) async throws {
        var isFirst = true
        while host == nil {
            do {
                let journal = try SQLiteJournal(path: folder.path + "/test.db")
                self.journal = journal
                if isFirst { isOpen() }
                isFirst = false
                let made = try TestHost(
                    scripts: [:], world: world, clock: clock, journal: journal, folder: folder
                ) { options in
                    options.hostID = "host-\(self.pick(0...(.max)))"
                    options.drainMilliseconds = 0
                    options.leaseMilliseconds = 1_000_000_000
                }
                try await made.start()
                host = made
            } catch let error as JournalError {
                try #require(faulty_disk_failures(disk) > 0, "seed \(seed): \(error)")
                try await crash(keepingCache: false)
            }
        }
    }

    private func crash(keepingCache: Bool) async throws {
        faulty_disk_pull(disk, keepingCache ? 1 : 0)
        // What can't be closed in order is an end of the process.
        try? await host?.stop()
        host = nil
        try? journal?.close()
        journal = nil
        try #require(faulty_disk_restart(disk) == 1)
    }

    /// Does what people and programs do, again where it was not acknowledged, and lets time pass.
    private func push() async throws {
        guard let test = host else { return }
        for name in names {
            do { try await push(name, test) } catch let error as any ExplainedError {
                let code = error.code
                let isTold = code.hasPrefix("PG3") && faulty_disk_failures(disk) > 0
                try #require(isTold, "seed \(seed): \(error)")
            }
        }
        for _ in 0..<50 { await Task.yield() }
        clock.advance(milliseconds: 1000)
    }

    private func push(_ name: String, _ test: TestHost) async throws {
        guard let id = started[name] else {
            started[name] = try await test.begin("work", ["name": .string(name)], key: name).id
            return
        }
        // An acknowledged run is always there.
        let run = try await test.host.run(id: id)
        if !paid.contains(name) {
            _ = try await test.send("paid", ["name": .string(name), "sum": 7], id: "paid-\(name)")
            paid.insert(name)
        }
        guard let wait = run.waits.first else { return }
        switch wait.kind {
        case .timer: clock.advance(milliseconds: 3_600_000)
        case .approval where !decided.contains(name):
            do {
                _ = try await test.host.decide(approval: wait.id, outcome: "approve", by: "ana")
                decided.insert(name)
            } catch let error as HostError where error.status == 409 { decided.insert(name) }
        default: break
        }
    }

    private func isOver() async throws -> Bool {
        let test = try #require(host)
        for name in names {
            guard let id = started[name], paid.contains(name) else { return false }
            let run = try await test.host.run(id: id)
            try #require(run.status != .attention, "seed \(seed): \(run.problem?.text ?? "")")
            if !run.status.isFinal { return false }
        }
        return true
    }

    private func explain() async throws {
        for name in names {
            let run = try await host?.host.run(id: started[name] ?? "")
            Issue.record(
                "seed \(seed): \(name) does not end: \(run.map { "\($0.status) \($0.waits)" } ?? "")")
        }
        throw CancellationError()
    }

    private func check() async throws {
        let test = try #require(host)
        for name in names {
            let history = try await test.host.history(run: try #require(started[name]))
            #expect(history.run.status == .completed, "seed \(seed)")
            #expect(history.run.result?.array == [1, 2, 3, 7, "approve"], "seed \(seed)")
            #expect(history.entries.map(\.sequence) == Array(1...history.entries.count), "seed \(seed)")
            let steps = history.entries.compactMap { entry -> StepAddress? in
                if case .stepCompleted(let step, _, _, _) = entry.fact { step.address } else { nil }
            }
            #expect(Set(steps).count == steps.count, "seed \(seed): a step was recorded twice")
            for number in 1...3 {
                let calls = world.requests.filter { $0.url == "https://a.example/\(name)/\(number)" }
                let keys = Set(calls.map { $0.header("Idempotency-Key") })
                #expect(keys.count == 1 && !keys.contains(nil), "seed \(seed): \(name) \(number)")
            }
        }
        let all = try await test.journal.runs(RunQuery(namespace: "default", limit: 100)).runs
        #expect(all.count == names.count, "seed \(seed): the key makes one run")
    }
}

/// Random values that a seed repeats.
private struct SeededRandomness: RandomNumberGenerator {
    private var clock: ManualClock

    init(seed: UInt64) { clock = ManualClock(seed: seed) }

    mutating func next() -> UInt64 { clock.randomUInt64() }
}
