import PerigeeJournal

extension JournalContract {
    static var childChecks: [Check] {
        [
            Check(area: "children", promise: "a child begins with its parent's commit, and its end answers") {
                scene in
                let number = try await scene.startParent([child("run_2")], waits: [endWait("w", "run_2")])
                let run = try await scene.run("run_2")
                try expectEqual(run.parent, child("run_2").parent)
                let relations = try await scene.relations("run_1")
                try expectEqual(relations.children.map(\.id), ["run_2"])
                try expectEqual(relations.childCount, 1)
                _ = try await scene.claim(at: at(2))
                let receipt = try await scene.commit(
                    Commit(
                        run: run.number, epoch: 1, at: at(3),
                        next: .ended(.completed, output: payload("7"), error: nil)))
                try expectEqual(receipt.wakesRuns, true)
                let claimed = try await scene.claim(at: at(3))
                try expectEqual(claimed.map(\.run.number), [number])
                let end = ChildEnd(try require(claimed.first?.answers.first?.payload ?? nil, "an answer"))
                try expectEqual(end?.run, "run_2")
                try expectEqual(end?.status, .completed)
                try expectEqual(end?.output, payload("7"))
            },
            Check(area: "children", promise: "a run that is retried waits for its child again") { scene in
                let number = try await scene.startParent(
                    [child("run_2"), child("run_3")],
                    waits: [endWait("w", "run_2"), endWait("v", "run_3"), timer("t", due: at(1))])
                let claimed = try await scene.claim(at: at(2))
                let epoch = try require(claimed.first { $0.run.number == number }?.run.epoch, "the parent")
                let ended = try require(claimed.first { $0.run.id == "run_2" }?.run.number, "a child")
                let going = try require(claimed.first { $0.run.id == "run_3" }?.run.number, "a child")
                let end = Commit.Next.ended(.completed, output: payload("7"), error: nil)
                try await scene.commit(
                    Commit(run: number, epoch: epoch, at: at(2), next: .attention(error: payload("1"))))
                try await scene.commit(Commit(run: ended, epoch: 1, at: at(3), next: end))
                try expectEqual(try await scene.claim(at: at(3)).count, 0)
                let run = try await scene.run("run_1")
                let reopening = Reopening(
                    entryCount: run.entryCount, reset: [],
                    awaits: [endWait("w", "run_2"), endWait("v", "run_3")])
                _ = try await scene.act("run_1", .retry(reopening), at: at(4))
                let again = try await scene.claim(at: at(4))
                try expectEqual(again.flatMap(\.answers).map(\.wait), ["w"])
                try await scene.commit(
                    Commit(run: number, epoch: epoch + 1, at: at(5), closes: ["w"], next: .waiting))
                try await scene.commit(Commit(run: going, epoch: 1, at: at(6), next: end))
                try expectEqual(try await scene.claim(at: at(6)).flatMap(\.answers).map(\.wait), ["v"])
            },
            Check(area: "children", promise: "a key names the earlier run, whose end answers at once") {
                scene in
                let earlier = try await scene.start(newRun("run_0", key: "k"))
                _ = try await scene.claim(only: earlier)
                try await scene.commit(
                    Commit(
                        run: earlier, epoch: 1, at: at(0),
                        next: .ended(.failed, output: nil, error: payload(#"{"n":1}"#))))
                var keyed = child("run_2")
                keyed.key = "k"
                let waits = [
                    endWait("w", "run_2"),
                    Wait(
                        id: "s", address: address("s"), kind: .started(run: "run_2"), openedAt: at(0),
                        dueAt: nil),
                ]
                _ = try await scene.startParent([keyed], waits: waits)
                try expect(try await scene.journal.run(id: "run_2") == nil, "no second run of the key")
                let answers = try await scene.claim(at: at(2)).flatMap(\.answers)
                try expectEqual(answers.map(\.wait), ["w", "s"])
                try expectEqual(answers[0].payload.flatMap { ChildEnd($0) }?.status, .failed)
                try expectEqual(answers[1].payload, payload(#""run_0""#))
            },
            Check(area: "children", promise: "a start that its key refuses is answered at once") { scene in
                _ = try await scene.start(newRun("run_0", key: "k"))
                var keyed = child("run_2")
                keyed.key = "k"
                keyed.onConflict = .reject
                let number = try await scene.startParent([keyed], waits: [endWait("w", "run_2")])
                let answers = try await scene.claim(at: at(2), only: number).flatMap(\.answers)
                try expectEqual(
                    answers.map { $0.payload.flatMap { KeyTaken($0) } },
                    [KeyTaken(workflow: "onboarding", key: "k", run: "run_0")])
                try expect(try await scene.journal.run(id: "run_2") == nil, "no second run of the key")
            },
            Check(area: "children", promise: "a child begins no earlier than it should") { scene in
                var later = child("run_2")
                later.startAt = at(60)
                let number = try await scene.startClaimed("run_1")
                let receipt = try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(1), starts: [later], next: .running))
                try expectEqual(receipt.wakesRuns, false)
                try expectEqual(try await scene.claim(at: at(59)).count, 0)
                try expectEqual(try await scene.claim(at: at(60)).map(\.run.id), ["run_2"])
            },
            Check(area: "children", promise: "the parent's end cancels, leaves or terminates them") { scene in
                _ = try await scene.beat()
                let policies = ParentEndPolicy.allCases
                let ids = policies.map { "run_\($0)" }
                let number = try await scene.startParent(
                    policies.map { child("run_\($0)", onEnd: $0) }
                        + [child("run_busy"), child("run_hard", onEnd: .terminate)],
                    waits: [timer("t", due: nil)])
                for id in ["run_busy", "run_hard"] {
                    _ = try await scene.claim(at: at(2), only: try await scene.run(id).number)
                }
                _ = try await scene.claim(at: at(2), limit: 1, only: number)
                let receipt = try await scene.commit(
                    Commit(run: number, epoch: 2, at: at(3), next: .ended(.stopped, output: nil, error: nil)))
                try expectEqual(receipt.closesChildren, true)
                var statuses: [RunStatus] = []
                for id in ids { statuses.append(try await scene.run(id).status) }
                try expectEqual(statuses, [.cancelled, .queued, .terminated])
                let busy = try await scene.run("run_busy")
                try expectEqual(busy.status, .running)
                try expectEqual(try await scene.run("run_hard").status, .terminated)
                let told = try await scene.told(at: at(3))
                try expectEqual(told.map(\.run.number), [busy.number])
                try expectEqual(told.first?.run.cancelRequest, try await scene.run("run_cancel").error)
                try await expectError(.fenced(run: try await scene.run("run_hard").number)) {
                    try await scene.commit(
                        Commit(
                            run: try await scene.run("run_hard").number, epoch: 1, at: at(4), next: .running))
                }
            },
            Check(area: "children", promise: "a cancelled parent's children and theirs are cancelled") {
                scene in
                _ = try await scene.startParent([child("run_2")], waits: [timer("t", due: nil)])
                let number = try await scene.run("run_2").number
                _ = try await scene.claim(at: at(2), only: number)
                var grandchild = child("run_3")
                grandchild.parent?.run = "run_2"
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(2), opens: [timer("u", due: nil)],
                        starts: [grandchild], next: .waiting))
                _ = try await scene.cancel("run_1", "{}", isForced: true, at: at(3))
                let claimed = try await scene.claim(at: at(3), only: number)
                let error = try require(claimed.first?.run.cancelRequest ?? nil, "a request to cancel")
                try expectEqual(try await scene.run("run_3").status, .queued)
                try await scene.commit(
                    Commit(
                        run: number, epoch: 2, at: at(4), next: .ended(.cancelled, output: nil, error: error))
                )
                try expectEqual(try await scene.run("run_3").status, .cancelled)
            },
            Check(area: "children", promise: "a run that would wait for itself is answered at once") {
                scene in
                let number = try await scene.start(newRun("run_1", key: "k"))
                _ = try await scene.claim(only: number)
                var same = child("run_2")
                same.key = "k"
                let receipt = try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1), opens: [endWait("w", "run_2")], starts: [same],
                        next: .waiting))
                try expectEqual(receipt.wakesRuns, true)
                let answer = try await scene.claim(at: at(1)).flatMap(\.answers).first?.payload
                try expectEqual(answer.flatMap { ChildEnd($0) }?.run, "run_1")
            },
        ]
    }

    static var continueChecks: [Check] {
        [
            Check(area: "continue", promise: "a fresh run takes over key, parent and those who wait") {
                scene in
                var keyed = child("run_2")
                keyed.key = "k"
                _ = try await scene.startParent([keyed], waits: [endWait("w", "run_2")])
                let number = try await scene.run("run_2").number
                _ = try await scene.claim(at: at(1), only: number)
                let receipt = try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(2), continuation: newRun("run_3"),
                        next: .ended(.continued, output: nil, error: nil)))
                try expectEqual(receipt.wakesRuns, true)
                let old = try await scene.run("run_2")
                try expectEqual(old.status, .continued)
                try expectEqual(old.continuedAs, "run_3")
                try expectEqual(old.key, "k")
                let new = try await scene.run("run_3")
                try expectEqual(new.continuedFrom, "run_2")
                try expectEqual(new.key, "k")
                try expectEqual(new.parent, keyed.parent)
                try expectEqual(try await scene.run("run_1").waits.map(\.kind), [.child(run: "run_3")])
                try expectEqual(try await scene.claim(at: at(2)).map(\.run.id), ["run_3"])
                try await scene.commit(
                    Commit(
                        run: new.number, epoch: 1, at: at(3),
                        next: .ended(.completed, output: payload("1"), error: nil)))
                let answer = try await scene.claim(at: at(3)).flatMap(\.answers).first?.payload
                try expectEqual(answer.flatMap { ChildEnd($0) }?.run, "run_3")
            },
            Check(area: "continue", promise: "a fresh run stands where the old one stood in its lines") {
                scene in
                try await scene.limit(1)
                let number = try await scene.start(newRun("run_1", key: "k", .queue, slot: "s"))
                _ = try await scene.start(newRun("run_2", key: "k", .queue))
                _ = try await scene.start(newRun("run_3", slot: "s"))
                _ = try await scene.claim(only: number)
                let receipt = try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1), continuation: newRun("run_4", slot: "s"),
                        next: .ended(.continued, output: nil, error: nil)))
                try expectEqual(receipt.wakesRuns, true)
                try expectEqual(try await scene.claim(at: at(1)).map(\.run.id), ["run_4"])
                let new = try await scene.run("run_4").number
                try expectEqual(try await scene.run("run_2").blockedBy?.runs, ["run_4"])
                try expectEqual(try await scene.run("run_3").blockedBy?.runs, ["run_4"])
                try await scene.commit(
                    Commit(
                        run: new, epoch: 1, at: at(2), next: .ended(.completed, output: nil, error: nil)))
                try expectEqual(try await scene.claim(at: at(2)).map(\.run.id), ["run_2", "run_3"])
            },
            Check(area: "continue", promise: "a child that begins later holds no slot before its time") {
                scene in
                try await scene.limit(1)
                let parent = try await scene.startClaimed("run_1")
                var later = newRun("run_2", slot: "s")
                later.startAt = at(60)
                try await scene.commit(
                    Commit(run: parent, epoch: 1, at: at(0), starts: [later], next: .running))
                let number = try await scene.start(newRun("run_3", slot: "s"))
                try expectEqual(try await scene.claim(at: at(1)).map(\.run.id), ["run_3"])
                try expectEqual(try await scene.claim(at: at(60)).map(\.run.id), [])
                try expectEqual(try await scene.run("run_2").blockedBy?.runs, ["run_3"])
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(61), next: .ended(.completed, output: nil, error: nil)))
                try expectEqual(try await scene.claim(at: at(61)).map(\.run.id), ["run_2"])
            },
            Check(area: "continue", promise: "no event is lost and none is seen twice") { scene in
                let number = try await scene.startClaimed("run_1")
                try await scene.send(event("1"), at: at(1))
                try await scene.send(event("2"), at: at(1))
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(2), opens: [eventWait("w1")], next: .waiting))
                _ = try await scene.claim(at: at(2))
                try await scene.commit(
                    Commit(
                        run: number, epoch: 2, at: at(2), closes: ["w1"], continuation: newRun("run_2"),
                        next: .ended(.continued, output: nil, error: nil)))
                _ = try await scene.claim(at: at(2))
                let next = try await scene.run("run_2").number
                try await scene.commit(
                    Commit(run: next, epoch: 1, at: at(3), opens: [eventWait("w2")], next: .waiting))
                let answers = try await scene.claim(at: at(3)).flatMap(\.answers)
                try expectEqual(answers.map(\.payload), [event("2").envelope])
            },
            Check(area: "continue", promise: "a request to pause goes over to the fresh run") { scene in
                try await scene.limit(1)
                for slot in [nil, "s"] {
                    let (old, next) = ("run_1\(slot ?? "")", "run_2\(slot ?? "")")
                    let number = try await scene.start(newRun(old, slot: slot))
                    _ = try await scene.claim(only: number)
                    _ = try await scene.act(old, .pause, at: at(1))
                    let receipt = try await scene.commit(
                        Commit(
                            run: number, epoch: 1, at: at(2), continuation: newRun(next, slot: slot),
                            next: .ended(.continued, output: nil, error: nil)))
                    try expectEqual(receipt.wakesRuns, false)
                    try expectEqual(try await scene.run(old).status, .continued)
                    try expectEqual(try await scene.run(next).status, .paused)
                    try expectEqual(try await scene.run(next).pausedAt, at(1))
                    try expectEqual(try await scene.claim(at: at(3)).count, 0)
                    _ = try await scene.act(next, .resume, at: at(4))
                    try expectEqual(try await scene.claim(at: at(4)).map(\.run.id), [next])
                }
            },
            Check(area: "continue", promise: "only a run that ends as continued goes on as another") {
                scene in
                let number = try await scene.startClaimed("run_1")
                try await expectInvalid {
                    try await scene.commit(
                        Commit(
                            run: number, epoch: 1, at: at(1),
                            next: .ended(.continued, output: nil, error: nil)))
                }
                try await expectInvalid {
                    try await scene.commit(
                        Commit(
                            run: number, epoch: 1, at: at(1), continuation: newRun("run_2"), next: .running))
                }
                try await expectInvalid {
                    try await scene.commit(
                        Commit(
                            run: number, epoch: 1, at: at(1), continuation: newRun("run_1"),
                            next: .ended(.continued, output: nil, error: nil)))
                }
                try expectEqual(try await scene.run("run_1").status, .running)
            },
        ]
    }
}

func child(_ id: String, onEnd: ParentEndPolicy = .cancel) -> NewRun {
    var run = newRun(id)
    run.parent = RunParent(run: "run_1", step: address("Child"), onEnd: onEnd, depth: 1)
    return run
}

private func endWait(_ id: String, _ run: String) -> Wait {
    Wait(id: id, address: address(id), kind: .child(run: run), openedAt: at(0), dueAt: nil)
}

extension Scene {
    /// Creates a run, `run_1`, that starts others and waits.
    func startParent(_ children: [NewRun], waits: [Wait]) async throws -> Int64 {
        let number = try await startClaimed("run_1")
        try await commit(
            Commit(run: number, epoch: 1, at: at(1), opens: waits, starts: children, next: .waiting))
        return number
    }
}
