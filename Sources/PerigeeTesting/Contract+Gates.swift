import PerigeeJournal

extension JournalContract {
    static var gateChecks: [Check] {
        throttleChecks + failureChecks + [
            Check(area: "gates", promise: "so many are under way at once, and the next follow in turn") {
                scene in
                let ticket = GateTicket(key: "g", atOnce: 2, holdMilliseconds: 60_000)
                for number in 1...4 { try await scene.line("run_\(number)", ticket) }
                try expectEqual(try await scene.answered(at: at(1)), ["w1", "w2"])
                try expectEqual(
                    try await scene.relations("run_4").awaitedGates,
                    [AwaitedGate(key: "g", ahead: 1, openUntil: nil, nextAt: at(60))])
                let ended = try await scene.pass("run_1", hasFailed: false, at: at(2))
                try expectEqual(ended.wakesRuns, true)
                try expectEqual(try await scene.answered(at: at(2)), ["w3"])
                _ = try await scene.cancel("run_2", "{}", isForced: true, at: at(3))
                try expectEqual(try await scene.answered(at: at(3)), ["w4"])
            },
            Check(area: "gates", promise: "the workflow comes first whose turn is longest ago") { scene in
                let ticket = GateTicket(key: "g", atOnce: 1, holdMilliseconds: 60_000)
                for number in 1...3 { try await scene.line("run_\(number)", ticket, workflow: "many") }
                try await scene.line("run_4", ticket, workflow: "few")
                try expectEqual(try await scene.answered(at: at(1)), ["w1"])
                for (run, next) in [("run_1", ["w4"]), ("run_4", ["w2"]), ("run_2", ["w3"])] {
                    _ = try await scene.pass(run, hasFailed: false, at: at(2))
                    try expectEqual(try await scene.answered(at: at(2)), next)
                }
            },
            Check(area: "gates", promise: "a place that nobody gives back is free after its time") { scene in
                let ticket = GateTicket(key: "g", atOnce: 1, holdMilliseconds: 30_000)
                try await scene.line("run_1", ticket)
                try await scene.line("run_2", ticket)
                try expectEqual(try await scene.answered(at: at(29)), ["w1"])
                let claim = try await scene.journal.claim(
                    host: "host-1", namespace: "main", now: at(29), limit: 9, only: nil)
                try expectEqual(claim.nextDue, at(30))
                try expectEqual(try await scene.answered(at: at(30)), ["w2"])
            },
            Check(area: "gates", promise: "a host is told that another was told before it") { scene in
                _ = try await scene.beat()
                try await scene.line("run_1", GateTicket(key: "g", atOnce: 1, holdMilliseconds: 60_000))
                let first = try await scene.claim(at: at(1)).first
                try expectEqual(first?.answers.map(\.isRedelivered), [false])
                try expectEqual(first?.answers.map(\.payload), [payload(#"{"granted":true}"#)])
                try await scene.journal.release(host: "host-1", now: at(2))
                let second = try await scene.claim(at: at(3)).first
                try expectEqual(second?.answers.map(\.isRedelivered), [true])
            },
            Check(area: "gates", promise: "a run that ends gives its own other waits nothing") { scene in
                let ticket = GateTicket(key: "g", atOnce: 1, holdMilliseconds: 60_000)
                let number = try await scene.startClaimed("run_1")
                let waits = ["a", "b"].map {
                    Wait(id: $0, address: address($0), kind: .gate(ticket), openedAt: at(0), dueAt: nil)
                }
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1), opens: waits, watches: true, next: .running))
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(2),
                        next: .ended(.completed, output: nil, error: nil)))
                try expectEqual(try await scene.claim(at: at(90)).count, 0)
            },
            Check(area: "gates", promise: "gates of other keys and other namespaces are others") { scene in
                try await scene.line("run_1", GateTicket(key: "g", atOnce: 1, holdMilliseconds: 60_000))
                try await scene.line("run_2", GateTicket(key: "h", atOnce: 1, holdMilliseconds: 60_000))
                try expectEqual(try await scene.answered(at: at(1)), ["w1", "w2"])
            },
        ]
    }

    private static var throttleChecks: [Check] {
        let throttle = GateTicket.Throttle(limit: 2, milliseconds: 10_000)
        let ticket = GateTicket(key: "g", throttle: throttle, holdMilliseconds: 60_000)
        return [
            Check(area: "gates", promise: "never more than the limit in any period, counted from their ends")
            {
                scene in
                for number in 1...4 { try await scene.line("run_\(number)", ticket) }
                try expectEqual(try await scene.answered(at: at(1)), ["w1", "w2"])
                _ = try await scene.pass("run_1", hasFailed: false, at: at(2))
                try expectEqual(try await scene.answered(at: at(11)), [])
                let claim = try await scene.journal.claim(
                    host: "host-1", namespace: "main", now: at(11), limit: 9, only: nil)
                // A millisecond more, as moments are whole ones.
                let free = at(12).adding(milliseconds: 1)
                try expectEqual(claim.nextDue, free)
                try expectEqual(try await scene.answered(at: free), ["w3"])
                _ = try await scene.pass("run_2", hasFailed: true, at: at(13))
                _ = try await scene.pass("run_3", hasFailed: nil, at: at(13))
                try expectEqual(try await scene.answered(at: at(23)), [])
                try expectEqual(try await scene.answered(at: at(23).adding(milliseconds: 1)), ["w4"])
            }
        ]
    }

    private static var failureChecks: [Check] {
        let rule = BreakerRule(failures: 2, ratio: nil, overMilliseconds: 60_000, pauseMilliseconds: 30_000)
        let ticket = GateTicket(key: "g", breaker: rule, holdMilliseconds: 60_000)
        return [
            Check(
                area: "gates", promise: "too many failures close it, one is tried, and its success opens it"
            ) {
                scene in
                for number in 1...2 {
                    try await scene.line("run_\(number)", ticket)
                    _ = try await scene.answered(at: at(0))
                    _ = try await scene.pass("run_\(number)", hasFailed: true, at: at(1))
                }
                for number in 3...5 { try await scene.line("run_\(number)", ticket) }
                try expectEqual(try await scene.answered(at: at(30)), [])
                try expectEqual(try await scene.relations("run_3").awaitedGates.map(\.openUntil), [at(31)])
                var impatient = ticket
                impatient.isImpatient = true
                try await scene.line("run_6", impatient)
                let refused = try await scene.claim(at: at(30)).flatMap(\.answers)
                try expectEqual(refused.map(\.wait), ["w6"])
                try expectEqual(
                    refused.map(\.payload), [JSON.object(["refused": .int(at(31).milliseconds)]).bytes])
                try expectEqual(try await scene.answered(at: at(31)), ["w3"])
                _ = try await scene.pass("run_3", hasFailed: true, at: at(32))
                try expectEqual(try await scene.answered(at: at(61)), [])
                try expectEqual(try await scene.answered(at: at(62)), ["w4"])
                _ = try await scene.pass("run_4", hasFailed: false, at: at(63))
                try expectEqual(try await scene.answered(at: at(63)), ["w5"])
            }
        ]
    }
}

extension Scene {
    /// Lets a new run wait at a gate; its wait is `w` and the run's number.
    fileprivate func line(_ id: String, _ ticket: GateTicket, workflow: String = "onboarding") async throws {
        let number = try await start(newRun(id, workflow: workflow))
        _ = try await claim(at: at(0), only: number)
        let wait = Wait(
            id: "w\(id.dropFirst(4))", address: address(id), kind: .gate(ticket), openedAt: at(0), dueAt: nil)
        try await commit(Commit(run: number, epoch: 1, at: at(0), opens: [wait], next: .waiting))
    }

    /// The call of a run that was let through, and that this host works on, has ended.
    fileprivate func pass(_ id: String, hasFailed: Bool?, at now: Timestamp) async throws -> CommitReceipt {
        let run = try await run(id)
        let wait = "w\(id.dropFirst(4))"
        return try await commit(
            Commit(
                run: run.number, epoch: run.epoch, at: now, closes: [wait],
                failures: hasFailed.map { [wait: $0] } ?? [:],
                next: .ended(.completed, output: nil, error: nil)))
    }
}
