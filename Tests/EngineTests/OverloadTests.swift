import PerigeeJournal
import PerigeeTesting
import Testing

@testable import Perigee

/// A host whose store takes new work more slowly than it comes.
@Suite(.timeLimit(.minutes(5)))
struct OverloadTests {
    private static let flood = Admission.mostAtStore.members

    private static func events(_ count: Int, _ name: String) -> [NewEvent] {
        (1...count).map { NewEvent(type: "flood", data: .int(Int64($0)), id: "\(name)-\($0)") }
    }

    @Test(arguments: [false, true])
    func `more than can wait is refused, what was accepted is done, and then all is taken again`(
        isSQLite: Bool
    ) async throws {
        let setting = Setting(isSQLite: isSQLite, alwaysEvict: false)
        let (opened, arrived) = (Readiness(), Readiness())
        let inner = try TestHost(setting, scripts: [:])
        let journal = CrashingJournal(
            inner.journal, at: nil, after: false,
            beforeSubmit: { submissions in
                guard submissions.count == Self.flood else { return }
                arrived.open()
                await opened.wait()
            })
        let scripts = [
            "work.lua": script(#"return ask.approval("OK?").outcome"#),
            "flooded.lua": #"return workflow { on = { event = "flood" }, run = function() return 1 end }"#,
        ]
        let test = try TestHost(setting, scripts: scripts, journal: journal) { $0.maxPendingSubmissions = 3 }
        try await test.run { test in
            let run = try await test.begin("work")
            let waiting = try await test.run(run.id, reaches: .waiting)

            async let flood = test.host.send(Self.events(Self.flood, "a"))
            await arrived.wait()
            async let joined = test.host.send(Self.events(3, "b"))
            while test.host.intakeState.waiting < 3 { await Task.yield() }

            // New work is refused, whoever brings it.
            for attempt in 1...3 {
                let error = await #expect(throws: HostError.self) {
                    switch attempt {
                    case 1: _ = try await test.host.send(Self.events(1, "c"))
                    case 2: _ = try await test.begin("work")
                    default: try test.host.checkIntake()
                    }
                }
                #expect(error?.code == "PG4080" && error?.status == 429 && error?.retryAfterSeconds ?? 0 >= 1)
            }
            #expect(test.host.intakeState == IntakeState(waiting: 3, refused: 3))

            // A run in flight is not held up.
            let approval = try #require(waiting.waits.first?.id)
            _ = try await test.host.decide(approval: approval, outcome: "approve", by: "ana")
            _ = try await test.run(run.id, reaches: .completed)

            opened.open()
            let receipts = try await flood + joined
            let started = try receipts.map { try $0.get() }.flatMap(\.runs)
            #expect(Set(started).count == Self.flood + 3)
            for id in [started.first, started.last] {
                let end = try await test.host.waitForEnd(run: try #require(id), timeoutMilliseconds: .max)
                #expect(end.status == .completed)
            }

            // What was refused had not happened: sent again it is new, and taken at once.
            let again = try #require(try await test.host.send(Self.events(1, "c")).first?.get())
            #expect(!again.isDuplicate && again.runs.count == 1)
            #expect(test.host.intakeState == IntakeState(waiting: 0, refused: 3))
        }
    }
}
