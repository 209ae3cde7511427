import PerigeeJournal

extension JournalContract {
    static var auditChecks: [Check] {
        [
            Check(area: "audit", promise: "what is done is recorded with who, why, before and after") {
                scene in
                let number = try await scene.startWaiting("run_1", [approvalWait("a")])
                _ = try await scene.act("run_1", .pause, at: at(2), by: "ana", reason: "too fast")
                _ = try await scene.act("run_1", .pause, at: at(3))
                let page = try await scene.journal.audit(AuditQuery(namespace: "main", run: "run_1"))
                try expectEqual(
                    page.records,
                    [
                        AuditRecord(
                            number: 1, at: at(2), namespace: "main", by: "ana", action: "pause", run: "run_1",
                            reason: "too fast",
                            before: payload(#"{"entries":0,"status":"waiting","version":1}"#),
                            after: payload(#"{"entries":0,"status":"paused","version":1}"#))
                    ])
                try expectEqual(page.nextCursor, nil)
                let history = try require(try await scene.journal.history(run: "run_1"), "a history")
                try expectEqual(history.annotations.map(\.text), ["Paused by ana: too fast"])
                try expectEqual(history.run.number, number)
            },
            Check(
                area: "audit",
                promise: "decisions and starts by hand are recorded, newest first, page by page"
            ) {
                scene in
                var run = newRun("run_1", key: "k")
                run.startedBy = ActionNote(by: "ana", action: "start")
                let number = try await scene.start(run)
                // A run that is there already is not started.
                run.id = "run_2"
                _ = try await scene.submit(Submission(namespace: "main", starts: [run]))
                _ = try await scene.claim()
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(0), opens: [approvalWait("a")], next: .waiting))
                for _ in 0..<2 {
                    _ = try await scene.journal.decide(
                        approval: "a",
                        Decision(outcome: "reject", by: "boss", at: at(4), comment: "too dear"))
                }
                let first = try await scene.journal.audit(AuditQuery(namespace: "main", limit: 1))
                try expectEqual(first.records.map(\.action), ["decide"])
                try expectEqual(first.records.map(\.approval), ["a"])
                try expectEqual(first.records.map(\.reason), ["too dear"])
                try expectEqual(
                    first.records.map(\.after), [payload(#"{"outcome":"reject","status":"decided"}"#)])
                let cursor = try require(first.nextCursor, "a cursor")
                let second = try await scene.journal.audit(
                    AuditQuery(namespace: "main", run: "run_1", limit: 5, cursor: cursor))
                try expectEqual(second.records.map(\.action), ["start"])
                try expectEqual(second.records.map(\.before), [nil])
                try expectEqual(second.nextCursor, nil)
                try expectEqual(try await scene.journal.audit(AuditQuery(namespace: "x")).records, [])
            },
            Check(area: "audit", promise: "a fork begins with its entries and is recorded with the old run") {
                scene in
                _ = try await scene.start(newRun("run_1"))
                var fork = newRun("run_2")
                fork.entries = [completed(2), completed(5)]
                fork.forkOf = "run_1"
                fork.startedBy = ActionNote(by: "ana", action: "fork", reason: "again")
                let number = try await scene.start(fork)
                try expectEqual(try await scene.run("run_2").entryCount, 5)
                try expectEqual(
                    try await scene.journal.entries(run: number, after: 0, limit: 9), fork.entries)
                let records = try await scene.journal.audit(AuditQuery(namespace: "main")).records
                try expectEqual(records.map(\.run), ["run_1"])
                fork.id = "run_3"
                fork.entries = [completed(2), completed(2)]
                let broken = fork
                try await expectInvalid { _ = try await scene.start(broken) }
            },
        ]
    }

    static var batchChecks: [Check] {
        @Sendable func batch(_ id: String) -> Batch {
            Batch(
                id: id, namespace: "main", action: "pause", options: payload("{}"), search: "status:waiting",
                by: "ana", reason: "stop", atOnce: 3, createdAt: at(1))
        }
        return [
            Check(area: "batch", promise: "each run of a batch is acted on once, with its result") { scene in
                for index in 1...3 { _ = try await scene.start(newRun("run_\(index)")) }
                _ = try await scene.act("run_2", .pause, at: at(1))
                let made = try await scene.journal.createBatch(
                    batch("bat_1"), runs: ["run_1", "run_2", "run_1", "run_3"])
                try expectEqual(made.counts, Batch.Counts(pending: 3))
                for _ in 0..<2 {
                    _ = try await scene.act("run_1", .pause, at: at(2), batch: "bat_1")
                    _ = try await scene.act("run_1", .resume, at: at(3))
                }
                try expectEqual(try await scene.run("run_1").status, .queued)
                let not = try await scene.act("run_2", .pause, at: at(4), batch: "bat_1")
                try expectEqual(not, .refused(try await scene.run("run_2")))
                try await scene.journal.refuseItem(
                    batch: "bat_1", run: "run_2", error: payload("8"), now: at(4))
                let unnamed = try await scene.act("run_2", .resume, at: at(4), batch: "none")
                try expectEqual(unnamed, .repeated(try await scene.run("run_2")))
                try expectEqual(try await scene.journal.activeRuns(batch: "bat_1"), 1)
                for _ in 0..<2 {
                    try await scene.journal.refuseItem(
                        batch: "bat_1", run: "run_3", error: payload("9"), now: at(5))
                }
                let items = try await scene.journal.batchItems(BatchItemQuery(batch: "bat_1"))
                try expectEqual(items.map(\.place), [1, 2, 3])
                try expectEqual(items.map(\.state), [.done, .refused, .refused])
                try expectEqual(items.map(\.at), [at(2), at(4), at(5)])
                try expectEqual(items.last?.error, payload("9"))
                let ended = try require(try await scene.journal.batch(id: "bat_1"), "the batch")
                try expectEqual(ended.counts, Batch.Counts(pending: 0, done: 1, refused: 2))
                try expectEqual(ended.status, .completed)
                try expectEqual(ended.endedAt, at(5))
                let audits = try await scene.journal.audit(AuditQuery(namespace: "main")).records
                try expectEqual(
                    audits.filter { $0.batch == "bat_1" }.map(\.action), ["pause", "batch.pause"])
            },
            Check(area: "batch", promise: "a batch that is paused or aborted acts on nothing") { scene in
                for index in 1...2 { _ = try await scene.start(newRun("run_\(index)")) }
                _ = try await scene.journal.createBatch(batch("bat_1"), runs: ["run_1", "run_2"])
                func steer(_ status: Batch.Status, _ now: Timestamp) async throws -> Bool? {
                    try await scene.journal.steerBatch(
                        "bat_1", to: status, note: ActionNote(by: "bob", action: "batch.x"), now: now
                    )?.isChanged
                }
                try expectEqual(try await steer(.paused, at(2)), true)
                try expectEqual(try await steer(.paused, at(2)), false)
                let held = try await scene.act("run_1", .pause, at: at(3), batch: "bat_1")
                try expectEqual(held, .repeated(try await scene.run("run_1")))
                try expectEqual(try await steer(.running, at(4)), true)
                _ = try await scene.act("run_1", .pause, at: at(5), batch: "bat_1")
                try expectEqual(try await steer(.aborted, at(6)), true)
                _ = try await scene.act("run_2", .pause, at: at(7), batch: "bat_1")
                try expectEqual(try await scene.run("run_2").status, .queued)
                try expectEqual(try await steer(.running, at(8)), false)
                let ended = try await scene.journal.batches(namespace: "main", isFinal: true, limit: 9)
                try expectEqual(ended.map(\.status), [.aborted])
                try expectEqual(ended.map(\.endedAt), [at(6)])
                try expectEqual(ended.map(\.counts), [Batch.Counts(pending: 1, done: 1)])
                let pending = BatchItemQuery(batch: "bat_1", state: .pending, after: 0, limit: 5)
                try expectEqual(try await scene.journal.batchItems(pending).map(\.run), ["run_2"])
                let none = try await scene.journal.createBatch(batch("bat_2"), runs: [])
                try expectEqual(none.status, .completed)
                let live = try await scene.journal.batches(namespace: "main", isFinal: nil, limit: 9)
                try expectEqual(live.map(\.id), ["bat_2", "bat_1"])
                let repeated = batch("bat_1")
                try await expectInvalid { _ = try await scene.journal.createBatch(repeated, runs: []) }
                let absent = try await scene.journal.steerBatch(
                    "none", to: .paused, note: ActionNote(by: "x", action: "y"), now: at(1))
                try expect(absent == nil, "no such batch")
            },
        ]
    }
}
