import PerigeeJournal

extension JournalContract {
    static var retentionChecks: [Check] {
        [
            Check(
                area: "retention", promise: "a run goes with all that belongs to it, and its names are free"
            ) { scene in
                let start = newRun("run_1", key: "k", .reject)
                let submission = Submission(
                    namespace: "main", starts: [start], idempotencyKey: "i", requestDigest: "d")
                _ = try await scene.submit(submission)
                let number = try await scene.run("run_1").number
                _ = try await scene.claim()
                let note = Annotation(ordinal: 1, at: at(1), kind: .log, text: "t")
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1), entries: [completed(1)], opens: [approvalWait("a")],
                        annotations: [note], next: .ended(.completed, output: nil, error: nil)))
                try expectEqual(try await scene.remove(at: at(60)).runs, 0)
                try expectEqual(
                    try await scene.remove(at: at(61)), Removal(runs: 1, events: 0, nextCursor: nil))
                try expect(try await scene.journal.run(id: "run_1") == nil, "the run is gone")
                try expect(try await scene.journal.history(run: "run_1") == nil, "so is its history")
                try expect(try await scene.journal.approval(id: "a") == nil, "so is its approval")
                let inbox = try await scene.journal.approvals(namespace: "main", status: nil, limit: 9)
                try expectEqual(inbox.count, 0)
                try expectEqual(try await scene.journal.entries(run: number, after: 0, limit: 9).count, 0)
                try expectEqual(try await scene.journal.runs(RunQuery(namespace: "main")).runs.count, 0)
                let again = try await scene.submit(submission, at: at(62))
                try expectEqual(again.isDuplicate, false)
                let next = try require(try await scene.claim(at: at(62)).first, "the run").run
                try expect(next.number > number, "a number never comes twice")
                try await scene.commit(
                    Commit(run: next.number, epoch: 1, at: at(63), opens: [approvalWait("a")], next: .waiting)
                )
            },
            Check(area: "retention", promise: "an idle gate goes after a day, and a kept reply at its time") {
                scene in
                let day: Int64 = 86_400
                let ticket = GateTicket(
                    key: "g", throttle: GateTicket.Throttle(limit: 1, milliseconds: 7 * day * 1000),
                    holdMilliseconds: 60_000)
                let number = try await scene.startClaimed("run_1")
                let wait = Wait(
                    id: "w", address: address("w"), kind: .gate(ticket), openedAt: at(0), dueAt: nil)
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(0), opens: [wait], next: .waiting))
                let epoch = try require(try await scene.claim(at: at(0)).first, "a run").run.epoch
                let reply = KeptReply(at: at(1), reply: "r", until: at(5))
                try await scene.commit(
                    Commit(
                        run: number, epoch: epoch, at: at(1), closes: ["w"], failures: ["w": false],
                        writes: [StateWrite(key: "perigee/http/a", change: .set(reply.payload))],
                        next: .ended(.completed, output: nil, error: nil)))
                func kept() async throws -> Payload? {
                    try await scene.journal.state(
                        namespace: "main", workflow: "onboarding", key: "perigee/http/a")
                }
                _ = try await scene.remove(at: at(4))
                try expectEqual(try await kept(), reply.payload)
                _ = try await scene.remove(at: at(5))
                try expectEqual(try await kept(), nil)
                func isFree(at now: Timestamp, _ id: String) async throws -> Bool {
                    _ = try await scene.remove(at: now)
                    let number = try await scene.startClaimed(id, at: now)
                    let wait = Wait(
                        id: "w\(id)", address: address("w"), kind: .gate(ticket), openedAt: now, dueAt: nil)
                    try await scene.commit(
                        Commit(run: number, epoch: 1, at: now, opens: [wait], next: .waiting))
                    return try await !scene.claim(at: now, only: number).flatMap(\.answers).isEmpty
                }
                // It is remembered for as long as its throttle looks back, and a day longer.
                try expectEqual(try await isFree(at: at(7 * day), "run_2"), false)
                try expectEqual(try await isFree(at: at(8 * day + 2), "run_3"), false)
                _ = try await scene.cancel("run_2", "{}", isForced: true, at: at(8 * day + 2))
                _ = try await scene.cancel("run_3", "{}", isForced: true, at: at(8 * day + 2))
                try expectEqual(try await isFree(at: at(17 * day), "run_4"), true)
            },
            Check(area: "retention", promise: "what has not ended stays, however old it is") { scene in
                _ = try await scene.startWaiting("run_1", [timer("t", due: nil)])
                let stuck = try await scene.startClaimed("run_2")
                try await scene.commit(
                    Commit(run: stuck, epoch: 1, at: at(1), next: .attention(error: payload("{}"))))
                _ = try await scene.start(newRun("run_3"))
                try expectEqual(try await scene.remove(at: at(9999)).runs, 0)
                try expectEqual(try await scene.journal.runs(RunQuery(namespace: "main")).runs.count, 3)
            },
            Check(area: "retention", promise: "a child stays until its parent has ended") { scene in
                _ = try await scene.startParent([child("run_2")], waits: [timer("t", due: nil)])
                let run = try await scene.run("run_2").number
                _ = try await scene.claim(at: at(2), only: run)
                let end = Commit.Next.ended(.completed, output: nil, error: nil)
                try await scene.commit(Commit(run: run, epoch: 1, at: at(3), next: end))
                try expectEqual(try await scene.remove(at: at(9999)).runs, 0)
                _ = try await scene.journal.cancel(
                    run: "run_1", error: payload("{}"), isForced: true, now: at(9999))
                try expectEqual(try await scene.remove(at: at(9999)).runs, 1)
                try expectEqual(try await scene.remove(at: at(20_000)).runs, 1)
            },
            Check(
                area: "retention",
                promise: "ended children of an open parent are not looked at in every call"
            ) {
                scene in
                let children = ["run_2", "run_3", "run_4"]
                _ = try await scene.startParent(
                    children.map { child($0) }, waits: [timer("t", due: nil)])
                for id in children { _ = try await scene.cancel(id, "{}", at: at(3)) }
                let number = try await scene.run("run_3").number
                let cursor = Expiry.Cursor.run(workflow: "onboarding", endedAt: at(3), number: number)
                let first = try await scene.remove(at: at(99), limit: 2)
                try expectEqual(first, Removal(runs: 0, events: 0, nextCursor: cursor))
                let second = try await scene.remove(at: at(99), limit: 2, cursor: cursor)
                try expectEqual(second, Removal(runs: 0, events: 0, nextCursor: nil))
            },
            Check(
                area: "retention", promise: "kept replies go a few at a time, the oldest first"
            ) {
                scene in
                let number = try await scene.startClaimed("run_1")
                let writes = (1...3).map { id in
                    let reply = KeptReply(at: at(1), reply: "r", until: at(9 - Int64(id)))
                    return StateWrite(key: "perigee/http/\(id)", change: .set(reply.payload))
                }
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(1), writes: writes, next: .running))
                func left() async throws -> [Int] {
                    var left: [Int] = []
                    for id in 1...3
                    where try await scene.journal.state(
                        namespace: "main", workflow: "onboarding", key: "perigee/http/\(id)") != nil
                    { left.append(id) }
                    return left
                }
                let first = try await scene.remove(at: at(7), limit: 1)
                try expectEqual(first, Removal(runs: 0, events: 0, nextCursor: .idle))
                try expectEqual(try await left(), [1, 2])
                let second = try await scene.remove(at: at(7), limit: 1, cursor: first.nextCursor)
                try expectEqual(second, first)
                try expectEqual(try await left(), [1])
                let third = try await scene.remove(at: at(7), limit: 1, cursor: second.nextCursor)
                try expectEqual(third, Removal(runs: 0, events: 0, nextCursor: nil))
                try expectEqual(try await left(), [1])
            },
            Check(area: "retention", promise: "the newest version says how long; other runs follow the host")
            { scene in
                func end(_ id: String, workflow: String) async throws {
                    _ = try await scene.start(newRun(id, workflow: workflow))
                    _ = try await scene.cancel(id, "{}", at: at(0))
                }
                func say(_ workflow: String, _ keep: Keep?, _ bundle: String) async throws {
                    _ = try await scene.journal.saveVersion(
                        namespace: "main", workflow: workflow, bundle: bundle, files: ["w.lua": bundle],
                        rules: WorkflowRules(keep: keep), now: at(0))
                }
                try await say("short", .milliseconds(5000), "b1")
                try await say("long", .milliseconds(90_000), "b1")
                try await say("ever", .forever, "b1")
                try await say("plain", nil, "b1")
                for workflow in ["short", "long", "ever", "plain", "unknown"] {
                    try await end("run_\(workflow)", workflow: workflow)
                }
                func left(_ seconds: Int64) async throws -> Set<String> {
                    _ = try await scene.remove(at: at(seconds))
                    return Set(
                        try await scene.journal.runs(RunQuery(namespace: "main")).runs.map(\.workflow))
                }
                try expectEqual(try await left(5), ["long", "ever", "plain", "unknown"])
                try expectEqual(try await left(60), ["long", "ever"])
                try await say("long", .forever, "b2")
                try expectEqual(try await left(99), ["long", "ever"])
                try await say("ever", .milliseconds(1), "b1")
                try expectEqual(try await left(99), ["long"])
                try expectEqual(try await scene.journal.files(bundle: "b2"), ["w.lua": "b2"])
            },
            Check(area: "retention", promise: "each call does a little, those that ended first first") {
                scene in
                for id in 1...3 {
                    let number = try await scene.startClaimed("run_\(id)")
                    let entries = (1...4).map { completed($0) }
                    try await scene.commit(
                        Commit(
                            run: number, epoch: 1, at: at(10 - Int64(id)), entries: entries,
                            next: .ended(.completed, output: nil, error: nil)))
                }
                let number = try await scene.run("run_2").number
                let first = try await scene.remove(at: at(99), limit: 6)
                let cursor = Expiry.Cursor.run(workflow: "onboarding", endedAt: at(8), number: number)
                try expectEqual(first, Removal(runs: 2, events: 0, nextCursor: cursor))
                try expectEqual(
                    try await scene.journal.runs(RunQuery(namespace: "main")).runs.map(\.id), ["run_1"])
                let second = try await scene.remove(at: at(99), limit: 6, cursor: first.nextCursor)
                try expectEqual(second, Removal(runs: 1, events: 0, nextCursor: nil))
                try await expectInvalid { _ = try await scene.remove(at: at(99), limit: 0) }
            },
            Check(area: "retention", promise: "an event goes when it is old and no run needs it") { scene in
                try await scene.send(event("1"))
                try await scene.send(event("2"), starts: [newRun("run_1")])
                let waiting = try await scene.startWaiting("run_2", [timer("t", due: nil)])
                try await scene.send(event("3"))
                func isKnown(_ id: String) async throws -> Bool {
                    let again = event("again-\(id)", sourceID: id)
                    return try await scene.submit(Submission(namespace: "main", event: again, starts: []))
                        .isDuplicate
                }
                try expectEqual(try await scene.remove(at: at(59)).events, 0)
                try expectEqual(try await scene.remove(at: at(60)).events, 1)
                _ = try await scene.cancel("run_1", "{}", at: at(60))
                try expectEqual(
                    try await scene.remove(at: at(200)), Removal(runs: 1, events: 1, nextCursor: nil))
                try expectEqual(try await isKnown("3"), true)
                _ = try await scene.claim(at: at(201), only: waiting)
                try await scene.commit(
                    Commit(run: waiting, epoch: 2, at: at(201), opens: [eventWait("e")], next: .waiting))
                try expectEqual(try await scene.claim(at: at(201)).flatMap(\.answers).map(\.wait), ["e"])
                try await scene.commit(
                    Commit(
                        run: waiting, epoch: 3, at: at(202), next: .ended(.completed, output: nil, error: nil)
                    ))
                try expectEqual(
                    try await scene.remove(at: at(300)), Removal(runs: 1, events: 1, nextCursor: nil))
                try expectEqual(try await isKnown("2"), false)
                try expectEqual(try await isKnown("3"), false)
            },
            Check(
                area: "retention", promise: "an event's idempotency key goes with it, not with its runs"
            ) {
                scene in
                func sent(_ id: String, key: String, _ starts: [NewRun], at now: Timestamp) async throws
                    -> Bool
                {
                    let submission = Submission(
                        namespace: "main", event: event(id), starts: starts, idempotencyKey: key,
                        requestDigest: "d\(id)")
                    return try await !scene.submit(submission, at: now).isDuplicate
                }
                _ = try await scene.journal.saveVersion(
                    namespace: "main", workflow: "onboarding", bundle: "b1", files: ["w.lua": "b1"],
                    rules: WorkflowRules(keep: .milliseconds(0)), now: at(0))
                let starts: [String: [NewRun]] = [
                    "1": [], "2": [newRun("run_1")], "3": [newRun("run_2"), newRun("run_3")],
                ]
                for (id, starts) in starts {
                    try expectEqual(try await sent(id, key: "k\(id)", starts, at: at(0)), true)
                    for start in starts { _ = try await scene.cancel(start.id, "{}", at: at(0)) }
                }
                try expectEqual(
                    try await scene.remove(at: at(1)), Removal(runs: 3, events: 0, nextCursor: nil))
                for id in starts.keys {
                    try expectEqual(try await sent(id, key: "k\(id)", [], at: at(1)), false)
                }
                try expectEqual(
                    try await scene.remove(at: at(60)), Removal(runs: 0, events: 3, nextCursor: nil))
                // A key that was still known would be refused, as this is another request.
                for id in starts.keys {
                    try expectEqual(try await sent("new-\(id)", key: "k\(id)", [], at: at(61)), true)
                }
            },
            Check(
                area: "retention",
                promise: "events are looked at a few at a time, and none goes where all is kept"
            ) { scene in
                for id in 1...5 { try await scene.send(event("\(id)")) }
                let forever = Expiry(namespace: "main", keep: .forever, limit: 9)
                let nothing = Removal(runs: 0, events: 0, nextCursor: nil)
                try expectEqual(try await scene.journal.removeExpired(forever, now: at(9999)), nothing)
                var cursor: Expiry.Cursor?
                var removed: [Int] = []
                repeat {
                    let removal = try await scene.remove(at: at(99), limit: 2, cursor: cursor)
                    removed.append(removal.events)
                    cursor = removal.nextCursor
                } while cursor != nil
                try expectEqual(removed, [2, 2, 1])
                let elsewhere = Expiry(namespace: "other", keep: .milliseconds(0), limit: 9)
                try expectEqual(try await scene.journal.removeExpired(elsewhere, now: at(9999)), nothing)
            },
        ]
    }
}

extension Scene {
    /// Removes what ended more than a minute ago.
    fileprivate func remove(
        at now: Timestamp, limit: Int = 1000, cursor: Expiry.Cursor? = nil
    ) async throws -> Removal {
        let expiry = Expiry(
            namespace: "main", keep: .milliseconds(60_000), limit: limit, cursor: cursor)
        return try await journal.removeExpired(expiry, now: now)
    }
}
