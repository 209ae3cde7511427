import PerigeeJournal

extension JournalContract {
    static var claimChecks: [Check] {
        [
            Check(area: "claim", promise: "takes what could go on longest first, up to its limit") { scene in
                _ = try await scene.start(newRun("run_1"), at: at(2))
                _ = try await scene.start(newRun("run_2"), at: at(1))
                _ = try await scene.start(newRun("run_3"), at: at(2))
                let first = try await scene.claim(at: at(5), limit: 2)
                try expectEqual(first.map(\.run.id), ["run_2", "run_1"])
                try expectEqual(try await scene.claim(at: at(6)).map(\.run.id), ["run_3"])
                try expectEqual(try await scene.claim(at: at(7)).count, 0)
            },
            Check(area: "claim", promise: "a claimed run is running, owned, and under a new epoch") { scene in
                let number = try await scene.start(newRun("run_1"))
                let run = try require(try await scene.claim(at: at(9)).first, "a run").run
                try expectEqual(run, try await scene.run("run_1"))
                try expectEqual(run.status, .running)
                try expectEqual(run.owner, "host-1")
                try expectEqual(run.epoch, 1)
                try expectEqual(run.startedAt, at(9))
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(9), opens: [timer("t", due: at(10))], next: .waiting)
                )
                let again = try require(try await scene.claim(at: at(11)).first, "a run").run
                try expectEqual(again.epoch, 2)
                try expectEqual(again.startedAt, at(9))
            },
            Check(area: "claim", promise: "tells when the next run is due") { scene in
                func next(_ now: Timestamp, limit: Int = 1) async throws -> Timestamp? {
                    try await scene.journal.claim(
                        host: "h", namespace: "main", now: now, limit: limit, only: nil
                    ).nextDue
                }
                try expectEqual(try await next(at(0)), nil)
                _ = try await scene.startWaiting(
                    "run_1", [timer("t1", due: at(60)), timer("t2", due: at(30))])
                _ = try await scene.startWaiting("run_2", [timer("t3", due: nil)])
                try expectEqual(try await next(at(0)), at(30))
                _ = try await scene.start(newRun("run_3"), at: at(5))
                _ = try await scene.start(newRun("run_4"), at: at(6))
                try expectEqual(try await next(at(10)), at(6))
                try expectEqual(try await next(at(10)), at(30))
                try expectEqual(try await next(at(30)), nil)
            },
            Check(area: "claim", promise: "stays in its namespace") { scene in
                _ = try await scene.start(newRun("run_1"))
                let other = try await scene.journal.claim(
                    host: "h", namespace: "other", now: at(1), limit: 9, only: nil)
                try expectEqual(other, Claim(runs: [], nextDue: nil))
            },
            Check(area: "claim", promise: "one run by number, even if nothing woke it") { scene in
                let waiting = try await scene.startWaiting("run_1", [timer("t", due: at(60))])
                let owned = try await scene.startClaimed("run_2")
                try expectEqual(try await scene.claim(at: at(1), only: owned).count, 0)
                try expectEqual(try await scene.claim(at: at(1), only: 999).count, 0)
                let claimed = try await scene.claim(at: at(1), only: waiting)
                try expectEqual(claimed.map(\.run.id), ["run_1"])
                try expectEqual(claimed.flatMap(\.answers), [])
            },
            Check(area: "claim", promise: "refuses a limit below 1") { scene in
                try await expectInvalid { _ = try await scene.claim(limit: 0) }
            },
        ]
    }

    static var hostChecks: [Check] {
        [
            Check(area: "hosts", promise: "runs of a host whose lease ended are freed, its commits refused") {
                scene in
                _ = try await scene.beat("host-1")
                let number = try await scene.startClaimed("run_1")
                try expectEqual(try await scene.beat("host-2", at: at(29)).freed, 0)
                try expectEqual(try await scene.beat("host-2", at: at(30)).freed, 1)
                let freed = try await scene.run("run_1")
                try expectEqual(freed.status, .queued)
                try expectEqual(freed.owner, nil)
                let claimed = try await scene.claim(by: "host-2", at: at(30))
                try expectEqual(claimed.map(\.run.epoch), [2])
                try await expectError(.fenced(run: number)) {
                    try await scene.commit(Commit(run: number, epoch: 1, at: at(31), next: .running))
                }
            },
            Check(area: "hosts", promise: "a heartbeat keeps the host's own runs") { scene in
                _ = try await scene.beat("host-1")
                _ = try await scene.startClaimed("run_1")
                try expectEqual(try await scene.beat("host-1", at: at(20)).freed, 0)
                try expectEqual(try await scene.beat("host-2", at: at(40)).freed, 0)
                try expectEqual(try await scene.beat("host-1", at: at(60)).freed, 0)
                try expectEqual(try await scene.run("run_1").owner, "host-1")
            },
            Check(area: "hosts", promise: "a freed run keeps its waits and their answers") { scene in
                _ = try await scene.beat("host-1")
                let number = try await scene.startClaimed("run_1")
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1), entries: [completed(1)], opens: [approvalWait("a")],
                        next: .running))
                _ = try await scene.journal.decide(
                    approval: "a", Decision(outcome: "approve", by: "boss", at: at(2)))
                try await scene.journal.release(host: "host-1", now: at(3))
                let claimed = try await scene.claim(by: "host-2", at: at(3))
                try expectEqual(claimed.map(\.run.entryCount), [1])
                try expectEqual(claimed.flatMap(\.answers).map(\.wait), ["a"])
            },
            Check(area: "hosts", promise: "release frees the host's runs at once, and only those") { scene in
                _ = try await scene.beat("host-1")
                _ = try await scene.beat("host-2")
                _ = try await scene.startClaimed("run_1")
                let other = try await scene.start(newRun("run_2"))
                _ = try await scene.claim(by: "host-2", only: other)
                try await scene.journal.release(host: "host-1", now: at(1))
                try expectEqual(try await scene.run("run_1").status, .queued)
                try expectEqual(try await scene.run("run_2").status, .running)
                try expectEqual(try await scene.claim(by: "host-3", at: at(1)).map(\.run.id), ["run_1"])
            },
        ]
    }
}
