import PerigeeJournal

extension JournalContract {
    static var actionChecks: [Check] {
        pauseChecks + retryChecks + takenEventChecks + resultChecks + auditChecks
    }

    private static var pauseChecks: [Check] {
        [
            Check(area: "pause", promise: "a run that waits is paused at once, and keeps what comes") {
                scene in
                _ = try await scene.startWaiting(
                    "run_1", [timer("t", due: at(5)), eventWait("e", type: "paid"), approvalWait("a")])
                let answer = try await scene.act("run_1", .pause, at: at(2))
                let run = try await scene.run("run_1")
                try expectEqual(answer, .done(run))
                try expectEqual(run.status, .paused)
                try expectEqual(run.pausedAt, at(2))
                try expectEqual(run.waits.map(\.id), ["t", "e", "a"])
                try expectEqual(try await scene.act("run_1", .pause, at: at(3)), .refused(run))
                try await scene.send(event("1", type: "paid"), at: at(3))
                _ = try await scene.journal.decide(
                    approval: "a", Decision(outcome: "approve", by: "boss", at: at(4)))
                try expectEqual(try await scene.claim(at: at(60)).count, 0)
                try expectEqual(
                    try await scene.journal.claim(
                        host: "host-1", namespace: "main", now: at(60), limit: 1, only: .max
                    ).nextDue, nil)
                _ = try await scene.act("run_1", .resume, at: at(61))
                try expectEqual(try await scene.run("run_1").status, .queued)
                try expectEqual(try await scene.run("run_1").pausedAt, nil)
                let claimed = try await scene.claim(at: at(61))
                try expectEqual(claimed.first?.answers.map(\.wait), ["e", "a", "t"])
                let again = try await scene.act("run_1", .resume, at: at(62))
                try expectEqual(again, .refused(try await scene.run("run_1")))
                try expect(try await scene.act("none", .pause, at: at(1)) == nil, "no such run")
            },
            Check(area: "retry now", promise: "ends the wait for the next attempt, and no other") { scene in
                let wait = Wait(
                    id: "w", address: address("w"), kind: .retry, openedAt: at(0), dueAt: at(60))
                _ = try await scene.startWaiting("run_1", [timer("t", due: at(70)), wait])
                try expectEqual(try await scene.run("run_1").waits.map(\.kind), [.timer, .retry])
                let refused = try await scene.act("run_1", .retryNow(address("t")), at: at(1))
                try expectEqual(refused, .refused(try await scene.run("run_1")))
                let done = try await scene.act("run_1", .retryNow(address("w")), at: at(2))
                try expectEqual(done, .done(try await scene.run("run_1")))
                let claimed = try await scene.claim(at: at(2))
                try expectEqual(claimed.first?.answers.map(\.wait), ["w"])
                try expectEqual(claimed.first?.answers.map(\.payload), [nil])
                let again = try await scene.act("run_1", .retryNow(address("w")), at: at(3))
                try expectEqual(again, .refused(try await scene.run("run_1")))
            },
            Check(area: "pause", promise: "a run that is to begin later keeps its time") { scene in
                for id in ["run_1", "run_2"] {
                    var later = newRun(id)
                    later.startAt = at(10)
                    _ = try await scene.start(later)
                    _ = try await scene.act(id, .pause, at: at(1))
                }
                _ = try await scene.act("run_1", .resume, at: at(2))
                try expectEqual(try await scene.claim(at: at(9)).count, 0)
                try expectEqual(try await scene.claim(at: at(10)).map(\.run.id), ["run_1"])
                try expectEqual(try await scene.run("run_2").status, .paused)
                _ = try await scene.act("run_2", .resume, at: at(11))
                try expectEqual(try await scene.claim(at: at(11)).map(\.run.id), ["run_2"])
            },
            Check(area: "pause", promise: "the host that works on a run is told, and lets it go") { scene in
                _ = try await scene.beat()
                let number = try await scene.startClaimed("run_1")
                _ = try await scene.act("run_1", .pause, at: at(2))
                try expectEqual(try await scene.run("run_1").status, .running)
                try expectEqual(try await scene.told(at: at(3)).map(\.run.pausedAt), [at(2)])
                try expectEqual(try await scene.told(at: at(4)).count, 0)
                let receipt = try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(5), entries: [completed(1)], next: .paused))
                try expectEqual(receipt.wakesRuns, false)
                try expectEqual(try await scene.run("run_1").status, .paused)
                try expectEqual(try await scene.run("run_1").entryCount, 1)
                try expectEqual(try await scene.claim(at: at(9)).count, 0)
            },
            Check(area: "pause", promise: "a run that is resumed before its host let go of it goes on") {
                scene in
                _ = try await scene.beat()
                let number = try await scene.startClaimed("run_1")
                _ = try await scene.act("run_1", .pause, at: at(2))
                _ = try await scene.act("run_1", .resume, at: at(3))
                try expectEqual(try await scene.run("run_1").status, .running)
                let receipt = try await scene.commit(Commit(run: number, epoch: 1, at: at(5), next: .paused))
                try expectEqual(receipt.wakesRuns, true)
                try expectEqual(try await scene.claim(at: at(5)).map(\.run.epoch), [2])
            },
            Check(
                area: "pause", promise: "a request that the host did not see holds when it lets go of the run"
            ) {
                scene in
                _ = try await scene.beat()
                let waits = try await scene.startClaimed("run_1")
                _ = try await scene.startClaimed("run_2")
                for id in ["run_1", "run_2"] { _ = try await scene.act(id, .pause, at: at(2)) }
                try await scene.commit(
                    Commit(run: waits, epoch: 1, at: at(3), opens: [timer("t", due: at(4))], next: .waiting))
                try expectEqual(try await scene.run("run_1").status, .paused)
                try await scene.journal.release(host: "host-1", now: at(5))
                try expectEqual(try await scene.run("run_2").status, .paused)
                try expectEqual(try await scene.claim(by: "host-2", at: at(60)).count, 0)
            },
            Check(area: "pause", promise: "a run that needs attention or ends is no longer paused") { scene in
                let stopped = try await scene.startClaimed("run_1")
                let ended = try await scene.startClaimed("run_2")
                for id in ["run_1", "run_2"] { _ = try await scene.act(id, .pause, at: at(2)) }
                try await scene.commit(
                    Commit(run: stopped, epoch: 1, at: at(3), next: .attention(error: payload("1"))))
                try await scene.commit(
                    Commit(
                        run: ended, epoch: 1, at: at(3), next: .ended(.completed, output: nil, error: nil)))
                for id in ["run_1", "run_2"] {
                    try expectEqual(try await scene.run(id).pausedAt, nil)
                    let answer = try await scene.act(id, .pause, at: at(4))
                    try expectEqual(answer, .refused(try await scene.run(id)))
                }
            },
            Check(area: "pause", promise: "a paused run that is cancelled unwinds") { scene in
                _ = try await scene.startWaiting("run_1", [approvalWait("a")])
                _ = try await scene.start(newRun("run_2"))
                for id in ["run_1", "run_2"] { _ = try await scene.act(id, .pause, at: at(1)) }
                for id in ["run_1", "run_2"] { _ = try await scene.cancel(id, "1", at: at(2)) }
                try expectEqual(try await scene.run("run_2").status, .cancelled)
                let claimed = try await scene.claim(at: at(2))
                try expectEqual(claimed.map(\.run.cancelRequest), [payload("1")])
                try expectEqual(claimed.map(\.run.pausedAt), [nil])
                let answer = try await scene.act("run_1", .pause, at: at(3))
                try expectEqual(answer, .refused(try await scene.run("run_1")))
            },
            Check(area: "pause", promise: "the deadline moves by as long as the run was paused") { scene in
                var run = newRun("run_1")
                run.timeoutMilliseconds = 10_000
                let number = try await scene.start(run)
                _ = try await scene.claim(at: at(0))
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(1), opens: [approvalWait("a")], next: .waiting))
                _ = try await scene.act("run_1", .pause, at: at(2))
                _ = try await scene.act("run_1", .resume, at: at(102))
                try expectEqual(try await scene.run("run_1").deadlineAt, at(110))
            },
        ]
    }

    private static var retryChecks: [Check] {
        [
            Check(area: "retry", promise: "a run that needs attention goes on without what is taken back") {
                scene in
                var run = newRun("run_1")
                run.timeoutMilliseconds = 10_000
                let number = try await scene.start(run)
                _ = try await scene.claim(at: at(0))
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1), entries: [completed(1), completed(2)],
                        opens: [approvalWait("a")], next: .attention(error: payload("1"))))
                let old = Reopening(entryCount: 1, reset: [2])
                let refused = try await scene.act("run_1", .retry(old), at: at(20))
                try expectEqual(refused, .refused(try await scene.run("run_1")))
                let move = Commit.Move(version: 2, bundle: "b2")
                let reopening = Reopening(entryCount: 2, reset: [2], move: move)
                _ = try await scene.act("run_1", .retry(reopening), at: at(30))
                let now = try await scene.run("run_1")
                try expectEqual(now.status, .queued)
                try expectEqual(now.error, nil)
                try expectEqual(now.deadlineAt, at(40))
                try expectEqual([now.version, now.entryCount], [2, 4])
                try expectEqual(now.bundle, "b2")
                let facts = try await scene.journal.entries(run: number, after: 2, limit: 9).map(\.fact)
                try expectEqual(facts, [.reset([2]), .versionMoved(from: 1, to: 2, bundle: "b2")])
                try expectEqual(try await scene.claim(at: at(30)).map(\.run.epoch), [2])
            },
            Check(
                area: "retry",
                promise: "a run that failed or was cancelled goes on, one that completed does not"
            ) {
                scene in
                for (index, status) in [RunStatus.failed, .cancelled, .timed_out, .completed].enumerated() {
                    let id = "run_\(index)"
                    let number = try await scene.startClaimed(id)
                    let fact = Fact.endRequested(.cancelled, error: payload("1"))
                    try await scene.commit(
                        Commit(
                            run: number, epoch: 1, at: at(1),
                            entries: [Entry(sequence: 1, recordedAt: at(1), fact: fact)],
                            next: .ended(status, output: payload("1"), error: payload("2"))))
                    let answer = try await scene.act(
                        id, .retry(Reopening(entryCount: 1, reset: [1])), at: at(2))
                    let run = try await scene.run(id)
                    guard status != .completed else {
                        try expectEqual(answer, .refused(run))
                        continue
                    }
                    try expectEqual(answer, .done(run))
                    try expectEqual(run.status, .queued)
                    try expectEqual([run.output, run.error], [nil, nil])
                    try expectEqual(run.endedAt, nil)
                    // It can be cancelled anew, and is told so.
                    _ = try await scene.cancel(id, "3", at: at(3))
                    try expectEqual(
                        try await scene.claim(at: at(3)).map(\.run.cancelRequest), [payload("3")])
                }
            },
            Check(area: "retry", promise: "an event that answered a run does not answer it again") { scene in
                let number = try await scene.startWaiting("run_1", [eventWait("e", type: "paid")])
                try await scene.send(event("1", type: "paid"), at: at(1))
                _ = try await scene.claim(at: at(1))
                try await scene.commit(
                    Commit(
                        run: number, epoch: 2, at: at(2), entries: [completed(1)], closes: ["e"],
                        next: .ended(.failed, output: nil, error: payload("1"))))
                _ = try await scene.act("run_1", .retry(Reopening(entryCount: 1, reset: [])), at: at(3))
                _ = try await scene.claim(at: at(3))
                try await scene.commit(
                    Commit(
                        run: number, epoch: 3, at: at(4), opens: [eventWait("f", type: "paid")],
                        next: .waiting))
                try expectEqual(try await scene.claim(at: at(5)).count, 0)
            },
        ]
    }

    private static var takenEventChecks: [Check] {
        [
            Check(area: "retry", promise: "an event that came and was not taken is there for the next try") {
                scene in
                let number = try await scene.startWaiting("run_1", [eventWait("e", type: "paid")])
                try await scene.send(event("1", type: "paid"), at: at(1))
                _ = try await scene.claim(at: at(1))
                try await scene.commit(
                    Commit(run: number, epoch: 2, at: at(2), next: .attention(error: payload("1"))))
                _ = try await scene.act("run_1", .retry(Reopening(entryCount: 0, reset: [])), at: at(3))
                _ = try await scene.claim(at: at(3))
                try await scene.commit(
                    Commit(
                        run: number, epoch: 3, at: at(4), opens: [eventWait("f", type: "paid")],
                        next: .waiting))
                try expectEqual(try await scene.claim(at: at(5)).flatMap(\.answers).map(\.wait), ["f"])
            }
        ]
    }

    private static var resultChecks: [Check] {
        [
            Check(area: "result", promise: "a wait is answered by hand, and its question is closed") {
                scene in
                let number = try await scene.startWaiting("run_1", [approvalWait("a"), timer("t", due: nil)])
                let step = address("a")
                _ = try await scene.act("run_1", .setResult(step, payload("7")), at: at(2))
                try expectEqual(try await scene.journal.approval(id: "a")?.status, .cancelled)
                let claimed = try await scene.claim(at: at(2))
                try expectEqual(
                    claimed.first?.answers,
                    [
                        WaitAnswer(
                            wait: "a", address: step, at: at(2), payload: payload("7"), isResult: true)
                    ])
                try await scene.commit(
                    Commit(
                        run: number, epoch: 2, at: at(3), entries: [completed(1)], closes: ["a"],
                        next: .waiting))
                let other = try await scene.act("run_1", .setResult(step, payload("8")), at: at(4))
                try expectEqual(other, .refused(try await scene.run("run_1")))
            },
            Check(
                area: "result",
                promise: "the host that works on a step is told its result until it has taken it"
            ) {
                scene in
                _ = try await scene.beat()
                let number = try await scene.startClaimed("run_1")
                _ = try await scene.act("run_1", .setResult(address("Call"), payload("7")), at: at(2))
                let told = try await scene.told(at: at(2)).flatMap(\.answers)
                try expectEqual(told.map(\.payload), [payload("7")])
                try expectEqual(told.map(\.address), [address("Call")])
                try expectEqual(told.map(\.isResult), [true])
                try await scene.journal.release(host: "host-1", now: at(3))
                let claimed = try await scene.claim(by: "host-2", at: at(3))
                try expectEqual(claimed.flatMap(\.answers), told)
                try await scene.commit(
                    Commit(
                        run: number, epoch: 2, at: at(4), entries: [completed(1)],
                        closes: told.map(\.wait), next: .running))
                try await scene.journal.release(host: "host-2", now: at(5))
                try expectEqual(try await scene.claim(at: at(5)).flatMap(\.answers), [])
            },
            Check(area: "retry", promise: "a run goes on inside a lock only while it has it") { scene in
                let number = try await scene.startWaiting("run_1", [lockWait("w")])
                _ = try await scene.claim(at: at(1), only: number)
                try await scene.commit(
                    Commit(
                        run: number, epoch: 2, at: at(1), entries: [completed(1)], closes: ["w"],
                        next: .attention(error: payload("1"))))
                let other = Reopening(entryCount: 1, reset: [], locks: ["k", "other"])
                let stopped = try await scene.run("run_1")
                try expectEqual(try await scene.act("run_1", .retry(other), at: at(2)), .refused(stopped))
                let reopening = Reopening(entryCount: 1, reset: [], locks: ["k"])
                _ = try await scene.act("run_1", .retry(reopening), at: at(2))
                try expectEqual(try await scene.run("run_1").status, .queued)
                _ = try await scene.cancel("run_1", "{}", isForced: true, at: at(3))
                let ended = try await scene.run("run_1")
                try expectEqual(try await scene.act("run_1", .retry(reopening), at: at(4)), .refused(ended))
            },
            Check(area: "result", promise: "a run that is retried can be given a result with it") { scene in
                let number = try await scene.startClaimed("run_1")
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1), entries: [completed(1)],
                        next: .attention(error: payload("1"))))
                let result = Reopening.StepResult(address: address("Call"), value: payload("7"))
                _ = try await scene.act(
                    "run_1", .retry(Reopening(entryCount: 1, reset: [1], result: result)), at: at(2))
                let answers = try await scene.claim(at: at(2)).flatMap(\.answers)
                try expectEqual(answers.map(\.payload), [payload("7")])
                try expectEqual(answers.map(\.isResult), [true])
            },
        ]
    }
}
