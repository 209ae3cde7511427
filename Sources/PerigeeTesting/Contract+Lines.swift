import PerigeeJournal

extension JournalContract {
    static var conflictChecks: [Check] {
        [
            Check(
                area: "keys",
                promise: "a start by itself is refused where its key is taken, with nothing left of it"
            ) { scene in
                let first = try await scene.start(newRun("run_1", key: "k", .reject))
                let taken = KeyTaken(workflow: "onboarding", key: "k", run: "run_1")
                let both = Submission(
                    namespace: "main", starts: [newRun("run_2"), newRun("run_3", key: "k", .reject)],
                    idempotencyKey: "i", requestDigest: "d")
                try await expectError(.keyTaken(taken)) { _ = try await scene.submit(both) }
                try expect(try await scene.journal.run(id: "run_2") == nil, "nothing of it was started")
                try await scene.finish(first)
                try await expectError(.keyTaken(taken)) { _ = try await scene.submit(both) }
                var other = both
                other.requestDigest = "e"
                other.starts[1].key = "l"
                try expectEqual(try await scene.submit(other).runs, ["run_2", "run_3"])
            },
            Check(
                area: "keys",
                promise: "an event starts nothing whose key is taken, and its receipt says so, always"
            ) { scene in
                _ = try await scene.start(newRun("run_1", key: "k"))
                let submission = Submission(
                    namespace: "main", event: event("1"),
                    starts: [newRun("run_2", key: "k", .reject), newRun("run_3")])
                let receipt = try await scene.submit(submission)
                try expectEqual(receipt.runs, ["run_3"])
                try expectEqual(
                    receipt.refused, [KeyTaken(workflow: "onboarding", key: "k", run: "run_1")])
                var again = receipt
                again.isDuplicate = true
                again.wakesRuns = false
                try expectEqual(try await scene.submit(submission), again)
            },
            Check(area: "keys", promise: "a run that emits such an event shows what was not started") {
                scene in
                _ = try await scene.start(newRun("run_1", key: "k"))
                let number = try await scene.startClaimed("run_2")
                let emitted = Submission(
                    namespace: "main", event: event("1"), starts: [newRun("run_3", key: "k", .reject)])
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1), emits: [emitted],
                        next: .ended(.completed, output: nil, error: nil)))
                let history = try require(try await scene.journal.history(run: "run_2"), "the history")
                try expectEqual(history.annotations.map(\.level), ["warning"])
                try expectEqual(history.annotations.map(\.at), [at(1)])
            },
            Check(
                area: "keys",
                promise: "the newer run cancels the one that nobody works on, and can be claimed"
            ) { scene in
                let old = try await scene.start(newRun("run_1", key: "k"))
                try await scene.finish(old)
                _ = try await scene.start(newRun("run_2", key: "k", .queue))
                let why = payload(#"{"code":"x"}"#)
                let newer = newRun("run_3", key: "k", .cancelExisting(error: why))
                let receipt = try await scene.submit(
                    Submission(namespace: "main", starts: [newer]), at: at(4))
                try expectEqual(receipt.runs, ["run_3"])
                try expectEqual(receipt.cancelled, [try await scene.run("run_2")])
                try expectEqual(try await scene.run("run_1").status, .completed)
                try expectEqual(try await scene.run("run_2").status, .cancelled)
                try expectEqual(try await scene.run("run_2").error, why)
                try expectEqual(try await scene.claim(at: at(4)).map(\.run.id), ["run_3"])
            },
            Check(area: "keys", promise: "the newer run waits for the end of one that a host works on") {
                scene in
                _ = try await scene.beat()
                let number = try await scene.startClaimed("run_1", key: "k")
                let newer = newRun("run_2", key: "k", .cancelExisting(error: payload("1")))
                let receipt = try await scene.submit(Submission(namespace: "main", starts: [newer]))
                try expectEqual(receipt.cancelled.map(\.status), [.running])
                try expectEqual(receipt.cancelled.map(\.cancelRequest), [payload("1")])
                try expectEqual(try await scene.told(at: at(1)).map(\.run.cancelRequest), [payload("1")])
                try expectEqual(
                    try await scene.run("run_2").blockedBy,
                    Blockage(kind: .key, key: "k", limit: 1, runs: ["run_1"]))
                try expectEqual(try await scene.claim(at: at(1)).count, 0)
                let ended = try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(2),
                        next: .ended(.cancelled, output: nil, error: payload("1"))))
                try expectEqual(ended.wakesRuns, true)
                try expectEqual(try await scene.claim(at: at(2)).map(\.run.id), ["run_2"])
                try expectEqual(try await scene.run("run_2").blockedBy, nil)
            },
            Check(area: "keys", promise: "a run can cancel itself by what it emits") { scene in
                let number = try await scene.startClaimed("run_1", key: "k")
                let emitted = Submission(
                    namespace: "main", event: event("1"),
                    starts: [newRun("run_2", key: "k", .cancelExisting(error: payload("1")))])
                let receipt = try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1), opens: [timer("t", due: nil)], emits: [emitted],
                        next: .waiting))
                try expectEqual(receipt.cancelled.map(\.id), ["run_1"])
                try expectEqual(receipt.wakesRuns, true)
                let unwinding = try await scene.claim(at: at(1))
                try expectEqual(unwinding.map(\.run.id), ["run_1"])
                try expectEqual(unwinding.map(\.run.cancelRequest), [payload("1")])
                try await scene.commit(
                    Commit(
                        run: number, epoch: 2, at: at(2),
                        next: .ended(.cancelled, output: nil, error: payload("1"))))
                try expectEqual(try await scene.claim(at: at(2)).map(\.run.id), ["run_2"])
            },
            Check(area: "keys", promise: "a run that unwinds already is not asked once more") { scene in
                let number = try await scene.startClaimed("run_1", key: "k")
                for id in 2...3 {
                    let newer = newRun("run_\(id)", key: "k", .cancelExisting(error: payload("\(id)")))
                    _ = try await scene.submit(Submission(namespace: "main", starts: [newer]))
                }
                try expectEqual(try await scene.run("run_1").status, .running)
                try expectEqual(try await scene.run("run_1").cancelRequest, payload("2"))
                try expectEqual(try await scene.run("run_2").status, .cancelled)
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(2), next: .ended(.completed, output: nil, error: nil)))
                try expectEqual(try await scene.claim(at: at(2)).map(\.run.id), ["run_3"])
            },
            Check(
                area: "keys",
                promise: "queued runs begin in the order of their arrival, each after the end before"
            ) { scene in
                for id in 1...4 { _ = try await scene.start(newRun("run_\(id)", key: "k", .queue)) }
                _ = try await scene.start(newRun("run_5", key: "other", .queue))
                try expectEqual(try await scene.run("run_4").blockedBy?.runs, ["run_1", "run_2", "run_3"])
                try expectEqual(try await scene.claim().map(\.run.id), ["run_1", "run_5"])
                let second = try await scene.run("run_2").number
                try expectEqual(try await scene.claim(only: second).count, 0)
                _ = try await scene.cancel("run_2", "{}", at: at(1))
                try expectEqual(try await scene.claim(at: at(1)).count, 0)
                try await scene.finish(try await scene.run("run_1").number, at: at(2))
                try expectEqual(try await scene.claim(at: at(2)).map(\.run.id), ["run_3"])
                try expectEqual(try await scene.run("run_4").blockedBy?.runs, ["run_3"])
            },
        ]
    }

    static var slotChecks: [Check] {
        [
            Check(area: "slots", promise: "no more than the limit at once, in the order of arrival, by key") {
                scene in
                try await scene.limit(2)
                for id in 1...4 { _ = try await scene.start(newRun("run_\(id)", slot: "a")) }
                _ = try await scene.start(newRun("run_5", slot: "b"))
                _ = try await scene.start(newRun("run_6", workflow: "other", slot: "a"))
                try expectEqual(
                    try await scene.run("run_4").blockedBy,
                    Blockage(kind: .concurrency, key: "a", limit: 2, runs: ["run_1", "run_2"]))
                let page = try await scene.journal.runs(RunQuery(namespace: "main", statuses: [.queued]))
                try expectEqual(page.runs.compactMap(\.blockedBy).map(\.runs.count), [2, 2])
                try expectEqual(
                    try await scene.claim(at: at(1)).map(\.run.id), ["run_1", "run_2", "run_5", "run_6"])
                let third = try await scene.run("run_3").number
                try expectEqual(try await scene.claim(only: third).count, 0)
                try await scene.finish(try await scene.run("run_2").number, at: at(3))
                let next = try await scene.journal.claim(
                    host: "host-1", namespace: "main", now: at(2), limit: 9, only: nil)
                try expectEqual(next, Claim(runs: [], nextDue: at(3)))
                try expectEqual(try await scene.claim(at: at(3)).map(\.run.id), ["run_3"])
                try expectEqual(try await scene.run("run_4").blockedBy?.runs, ["run_1", "run_3"])
            },
            Check(
                area: "slots",
                promise: "a slot is held while the run waits, needs attention, or has lost its host"
            ) { scene in
                try await scene.limit(1)
                _ = try await scene.beat()
                let number = try await scene.start(newRun("run_1", slot: "a"))
                _ = try await scene.start(newRun("run_2", slot: "a"))
                _ = try await scene.claim(only: number)
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(1), opens: [timer("t", due: at(2))], next: .waiting))
                try expectEqual(try await scene.claim(at: at(2)).map(\.run.id), ["run_1"])
                try await scene.journal.release(host: "host-1", now: at(3))
                try expectEqual(try await scene.run("run_1").status, .queued)
                try expectEqual(try await scene.run("run_1").blockedBy, nil)
                try expectEqual(try await scene.claim(at: at(3)).map(\.run.id), ["run_1"])
                try await scene.commit(
                    Commit(run: number, epoch: 3, at: at(4), next: .attention(error: payload("{}"))))
                try expectEqual(try await scene.claim(at: at(5)).count, 0)
                _ = try await scene.cancel("run_1", "{}", at: at(6))
                try expectEqual(try await scene.claim(at: at(6)).map(\.run.id), ["run_2"])
            },
            Check(area: "slots", promise: "every kind of end frees the slot") { scene in
                try await scene.limit(1)
                let ends: [RunStatus] = [.completed, .failed, .stopped, .cancelled, .timed_out]
                for (index, status) in ends.enumerated() {
                    let number = try await scene.start(newRun("run_\(index)", slot: "a"))
                    let claimed = try await scene.claim(only: number)
                    try expectEqual(claimed.map(\.run.epoch), [1])
                    _ = try await scene.start(newRun("next_\(index)", slot: "a"))
                    let receipt = try await scene.commit(
                        Commit(
                            run: number, epoch: 1, at: at(1), next: .ended(status, output: nil, error: nil)))
                    try expectEqual(receipt.wakesRuns, true)
                    _ = try await scene.cancel("next_\(index)", "{}", at: at(1))
                }
                let last = try await scene.start(newRun("run_last", slot: "a"))
                _ = try await scene.claim(only: last)
                _ = try await scene.start(newRun("next_last", slot: "a"))
                _ = try await scene.cancel("run_last", "{}", isForced: true, at: at(2))
                try expectEqual(try await scene.run("run_last").status, .terminated)
                try expectEqual(try await scene.claim(at: at(2)).map(\.run.id), ["next_last"])
            },
            Check(area: "slots", promise: "a run that leaves the line before its turn frees nothing") {
                scene in
                try await scene.limit(1)
                for id in 1...3 { _ = try await scene.start(newRun("run_\(id)", slot: "a")) }
                _ = try await scene.cancel("run_2", "{}", at: at(1))
                try expectEqual(try await scene.claim(at: at(1)).map(\.run.id), ["run_1"])
                try await scene.finish(try await scene.run("run_1").number, at: at(2))
                try expectEqual(try await scene.claim(at: at(2)).map(\.run.id), ["run_3"])
            },
            Check(area: "slots", promise: "the newest version's limit counts, at once") { scene in
                try await scene.limit(1)
                for id in 1...5 { _ = try await scene.start(newRun("run_\(id)", slot: "a")) }
                _ = try await scene.start(newRun("run_6", slot: "b"))
                try expectEqual(try await scene.claim().map(\.run.id), ["run_1", "run_6"])
                try await scene.limit(3, bundle: "b2")
                try expectEqual(try await scene.claim(at: at(5)).map(\.run.id), ["run_2", "run_3"])
                try await scene.limit(1, bundle: "b2")
                try await scene.finish(try await scene.run("run_1").number, at: at(6))
                try await scene.finish(try await scene.run("run_2").number, at: at(6))
                try expectEqual(try await scene.claim(at: at(6)).count, 0)
                try await scene.limit(nil, bundle: "b3")
                try expectEqual(try await scene.claim(at: at(6)).map(\.run.id), ["run_4", "run_5"])
                try await expectInvalid { try await scene.limit(0, bundle: "b4") }
            },
            Check(area: "slots", promise: "a run that waits for its key keeps nobody from a slot") { scene in
                try await scene.limit(2)
                for (id, key) in [(1, "k"), (2, "k"), (3, "l"), (4, "m")] {
                    _ = try await scene.start(newRun("run_\(id)", key: key, .queue, slot: ""))
                }
                try expectEqual(try await scene.claim().map(\.run.id), ["run_1", "run_3"])
                try expectEqual(try await scene.run("run_2").blockedBy?.kind, .key)
                try expectEqual(try await scene.run("run_4").blockedBy?.kind, .concurrency)
                try await scene.finish(try await scene.run("run_1").number, at: at(1))
                try expectEqual(try await scene.claim(at: at(1)).map(\.run.id), ["run_2"])
                try expectEqual(try await scene.run("run_4").blockedBy?.runs, ["run_2", "run_3"])
            },
            Check(area: "slots", promise: "a run that can't begin stands in no line") { scene in
                try await scene.limit(1)
                var broken = newRun("run_1", key: "k", .queue, slot: "a")
                broken.status = .attention
                _ = try await scene.start(broken)
                try expectEqual(try await scene.run("run_1").blockedBy, nil)
                _ = try await scene.start(newRun("run_2", slot: "a"))
                try expectEqual(try await scene.claim().map(\.run.id), ["run_2"])
            },
        ]
    }
}

extension Scene {
    /// Loads a version of the workflow of ``newRun(_:workflow:key:_:slot:)`` with this limit.
    func limit(_ limit: Int?, bundle: String = "b1") async throws {
        _ = try await journal.saveVersion(
            namespace: "main", workflow: "onboarding", bundle: bundle, files: ["w.lua": bundle],
            rules: WorkflowRules(concurrencyLimit: limit), now: at(5))
    }

    /// Ends a run, whoever works on it.
    fileprivate func finish(_ number: Int64, at: Timestamp = at(0)) async throws {
        _ = try await claim(at: at, only: number)
        let runs = try await journal.runs(RunQuery(namespace: "main", limit: 500)).runs
        let run = try require(runs.first { $0.number == number }, "run number \(number)")
        try await commit(
            Commit(run: number, epoch: run.epoch, at: at, next: .ended(.completed, output: nil, error: nil)))
    }
}
