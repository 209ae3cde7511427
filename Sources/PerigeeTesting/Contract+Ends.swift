import PerigeeJournal

extension JournalContract {
    static var cancellationChecks: [Check] { requestChecks + terminationChecks + deadlineChecks }

    private static var requestChecks: [Check] {
        [
            Check(area: "cancellation", promise: "a run that has not started is cancelled at once") { scene in
                _ = try await scene.start(newRun("run_1"))
                let answer = try await scene.cancel("run_1", "{}", at: at(2))
                let run = try await scene.run("run_1")
                try expectEqual(answer, .ended(run))
                try expectEqual(run.status, .cancelled)
                try expectEqual(run.error, payload("{}"))
                try expectEqual(run.endedAt, at(2))
                try expectEqual(try await scene.claim(at: at(9)).count, 0)
                try expectEqual(try await scene.cancel("run_1", "1", at: at(3)), .alreadyEnded(run))
                try expect(try await scene.cancel("x", "1", at: at(3)) == nil, "no such run")
            },
            Check(area: "cancellation", promise: "a run that needs attention is cancelled at once") { scene in
                let number = try await scene.startClaimed("run_1")
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(1), next: .attention(error: payload("1"))))
                _ = try await scene.cancel("run_1", "2", at: at(2))
                try expectEqual(try await scene.run("run_1").status, .cancelled)
                try expectEqual(try await scene.run("run_1").error, payload("2"))
            },
            Check(area: "cancellation", promise: "a run that waits is claimed to unwind, once") { scene in
                let number = try await scene.startWaiting("run_1", [approvalWait("a")])
                let answer = try await scene.cancel("run_1", "1", at: at(2))
                try expectEqual(answer, .requested(try await scene.run("run_1")))
                try expectEqual(try await scene.run("run_1").status, .waiting)
                let claimed = try await scene.claim(at: at(2))
                try expectEqual(claimed.map(\.run.cancelRequest), [payload("1")])
                let fact = Fact.endRequested(.cancelled, error: payload("1"))
                try await scene.commit(
                    Commit(
                        run: number, epoch: 2, at: at(3),
                        entries: [Entry(sequence: 1, recordedAt: at(3), fact: fact)],
                        opens: [timer("undo", due: at(60))], closes: ["a"], next: .waiting))
                try expectEqual(try await scene.journal.approval(id: "a")?.status, .cancelled)
                try expectEqual(try await scene.claim(at: at(4)).count, 0)
                try expectEqual(
                    try await scene.journal.entries(run: number, after: 0, limit: 9).map(\.fact), [fact])
                try expectEqual(try await scene.claim(at: at(60)).count, 1)
            },
            Check(area: "cancellation", promise: "the host that works on a run is told") { scene in
                _ = try await scene.beat()
                let number = try await scene.startClaimed("run_1")
                let answer = try await scene.cancel("run_1", "1", at: at(2))
                try expectEqual(answer, .requested(try await scene.run("run_1")))
                try expectEqual(try await scene.run("run_1").status, .running)
                try expectEqual(try await scene.told(by: "host-2", at: at(3)).count, 0)
                let told = try await scene.told(at: at(3))
                try expectEqual(told.map(\.run.cancelRequest), [payload("1")])
                try expectEqual(told.map(\.run.epoch), [1])
                try expectEqual(try await scene.told(at: at(4)).count, 0)
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(4), next: .ended(.completed, output: nil, error: nil)))
                try expectEqual(try await scene.run("run_1").status, .completed)
                try expectEqual(try await scene.run("run_1").cancelRequest, nil)
            },
            Check(
                area: "cancellation", promise: "a request that the host did not see is told to the next one"
            ) {
                scene in
                _ = try await scene.beat()
                let number = try await scene.startClaimed("run_1")
                _ = try await scene.startClaimed("run_2")
                _ = try await scene.cancel("run_1", "1", at: at(2))
                _ = try await scene.cancel("run_2", "2", at: at(2))
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(4), opens: [approvalWait("a")], next: .waiting))
                let claimed = try await scene.claim(at: at(4))
                try expectEqual(claimed.map(\.run.cancelRequest), [payload("1")])
                try await scene.journal.release(host: "host-1", now: at(6))
                let freed = try await scene.claim(by: "host-2", at: at(6))
                try expectEqual(freed.map(\.run.cancelRequest), [payload("1"), payload("2")])
                try await scene.commit(
                    Commit(run: number, epoch: 3, at: at(7), next: .attention(error: payload("9"))))
                try expectEqual(try await scene.run("run_1").status, .cancelled)
                try expectEqual(try await scene.run("run_1").error, payload("1"))
            },
        ]
    }

    private static var terminationChecks: [Check] {
        [
            Check(
                area: "cancellation", promise: "asked a second time, a run is terminated and its host refused"
            ) {
                scene in
                let number = try await scene.startClaimed("run_1")
                _ = try await scene.cancel("run_1", "1", at: at(2))
                let answer = try await scene.cancel("run_1", "2", at: at(3))
                let run = try await scene.run("run_1")
                try expectEqual(answer, .ended(run))
                try expectEqual(run.status, .terminated)
                try expectEqual(run.error, payload("2"))
                let late = Commit(run: number, epoch: 1, at: at(4), next: .running)
                try expectEqual(
                    try await scene.journal.commit([late]).first, .failure(.fenced(run: number)))
            },
            Check(area: "cancellation", promise: "forced, a run is terminated without being asked") { scene in
                _ = try await scene.startWaiting("run_1", [approvalWait("a")])
                let answer = try await scene.cancel("run_1", "1", isForced: true, at: at(2))
                try expectEqual(answer, .ended(try await scene.run("run_1")))
                try expectEqual(try await scene.run("run_1").status, .terminated)
                try expectEqual(try await scene.journal.approval(id: "a")?.status, .cancelled)
            },
        ]
    }

    private static var deadlineChecks: [Check] {
        [
            Check(area: "cancellation", promise: "a run wakes at its deadline, which counts from its start") {
                scene in
                var run = newRun("run_1")
                run.timeoutMilliseconds = 10_000
                let number = try await scene.start(run)
                let claimed = try await scene.claim(at: at(5))
                try expectEqual(claimed.map(\.run.deadlineAt), [at(15)])
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(6), opens: [timer("t", due: at(60))], next: .waiting)
                )
                try expectEqual(try await scene.claim(at: at(14)).count, 0)
                try expectEqual(try await scene.claim(at: at(15)).map(\.answers), [[]])
                let fact = Fact.endRequested(.timed_out, error: payload("1"))
                try await scene.commit(
                    Commit(
                        run: number, epoch: 2, at: at(16),
                        entries: [Entry(sequence: 1, recordedAt: at(16), fact: fact)], next: .waiting))
                try expectEqual(try await scene.claim(at: at(59)).count, 0)
                try expectEqual(try await scene.claim(at: at(60)).count, 1)
            },
            Check(area: "cancellation", promise: "the host that works on a run is told its deadline") {
                scene in
                var run = newRun("run_1")
                run.timeoutMilliseconds = 10_000
                _ = try await scene.start(run)
                _ = try await scene.claim(at: at(0))
                try expectEqual(try await scene.told(at: at(9)).count, 0)
                try expectEqual(try await scene.told(at: at(10)).count, 1)
                try expectEqual(try await scene.told(at: at(11)).count, 0)
            },
        ]
    }

    /// A run that a host works on while waits of it are open.
    static var watchChecks: [Check] {
        [
            Check(area: "watching", promise: "a host is told the answers of a run that it works on") {
                scene in
                let number = try await scene.startClaimed("run_1")
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1),
                        opens: [timer("t", due: at(5)), eventWait("e", type: "paid")], watches: true,
                        next: .running))
                try expectEqual(try await scene.run("run_1").waits.map(\.id), ["t", "e"])
                try expectEqual(try await scene.told(at: at(4)).count, 0)
                try expectEqual(try await scene.told(at: at(5)).flatMap(\.answers).map(\.wait), ["t"])
                try expectEqual(try await scene.told(at: at(6)).count, 0)
                try await scene.send(event("1", type: "paid"), at: at(7))
                try expectEqual(try await scene.told(by: "host-2", at: at(7)).count, 0)
                try expectEqual(try await scene.claim(by: "host-2", at: at(7)).count, 0)
                try expectEqual(try await scene.told(at: at(7)).flatMap(\.answers).map(\.wait), ["t", "e"])
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(8), closes: ["t", "e"], next: .running))
                try expectEqual(try await scene.told(at: at(9)).count, 0)
            },
            Check(area: "watching", promise: "what a checkpoint held is not kept") { scene in
                let number = try await scene.startClaimed("run_1")
                func entry(_ sequence: Int, _ path: String) -> Entry {
                    Entry(
                        sequence: sequence, recordedAt: at(1),
                        fact: .stepCompleted(
                            Step(
                                address: StepAddress(path: path, label: "Call", occurrence: sequence),
                                verb: "call", arguments: payload("{}"), line: 1),
                            .success(payload("1")), attempts: 1, startedAt: at(1)))
                }
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1),
                        entries: [entry(1, "A"), entry(2, ""), entry(3, "A/b")],
                        next: .running))
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(2),
                        entries: [entry(4, "A"), entry(5, "Ab"), entry(6, "")],
                        prunes: ["A"], next: .running))
                let kept = try await scene.journal.entries(run: number, after: 0, limit: 9)
                try expectEqual(kept.map(\.sequence), [2, 5, 6])
                try expectEqual(
                    try await scene.journal.entries(run: number, after: 2, limit: 1).map(\.sequence), [5])
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(3),
                        entries: [Entry(sequence: 7, recordedAt: at(3), fact: .reset(to: 5))], next: .running)
                )
                try expectEqual(
                    try await scene.journal.entries(run: number, after: 6, limit: 9).map(\.fact),
                    [.reset(to: 5)])
            },
        ]
    }
}
