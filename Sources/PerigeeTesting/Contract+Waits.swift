import PerigeeJournal

extension JournalContract {
    static var waitChecks: [Check] {
        [
            Check(area: "waits", promise: "a timer answers when it is due, and stays until it is closed") {
                scene in
                let number = try await scene.startWaiting(
                    "run_1", [timer("t", due: at(10)), timer("u", due: nil)])
                try expectEqual(try await scene.claim(at: at(9)).count, 0)
                let answer = WaitAnswer(wait: "t", address: address("t"), at: at(12), payload: nil)
                try expectEqual(try await scene.claim(at: at(12)).map(\.answers), [[answer]])
                let kept = try await scene.commit(Commit(run: number, epoch: 2, at: at(12), next: .waiting))
                try expectEqual(kept.wakesRuns, true)
                try expectEqual(try await scene.claim(at: at(12)).map(\.answers), [[answer]])
                let closed = try await scene.commit(
                    Commit(run: number, epoch: 3, at: at(13), closes: ["t"], next: .waiting))
                try expectEqual(closed.wakesRuns, false)
                try expectEqual(try await scene.claim(at: at(99)).count, 0)
                try expectEqual(try await scene.run("run_1").waits.map(\.id), ["u"])
            },
            Check(area: "waits", promise: "a waiting run shows what it waits for, in order") { scene in
                let waits = [approvalWait("a", due: at(9)), eventWait("e", ["n": 1]), timer("t", due: at(5))]
                _ = try await scene.startWaiting("run_1", waits)
                try expectEqual(try await scene.run("run_1").waits, waits)
                _ = try await scene.claim(at: at(5))
                try expectEqual(try await scene.run("run_1").waits.map(\.id), ["a", "e"])
            },
            Check(area: "waits", promise: "an event answers the waits that it matches, once") { scene in
                _ = try await scene.startWaiting("run_1", [eventWait("w1", ["n": 1])])
                _ = try await scene.startWaiting("run_2", [eventWait("w2", ["n": 2])])
                _ = try await scene.startWaiting(
                    "run_3", [eventWait("w3", ["n": ["gt": 0]]), eventWait("w4")])
                _ = try await scene.startWaiting("run_4", [eventWait("w5", type: "other")])
                let first = event("1", data: ["n": 1.0])
                try await scene.send(first, at: at(4))
                let claimed = try await scene.claim(at: at(4))
                try expectEqual(claimed.map(\.run.id), ["run_1", "run_3"])
                try expectEqual(claimed.flatMap(\.answers).map(\.wait), ["w1", "w3"])
                try expectEqual(claimed[0].answers[0].payload, first.envelope)
                try expectEqual(claimed[0].answers[0].at, at(4))
            },
            Check(area: "waits", promise: "the first answer counts") { scene in
                _ = try await scene.startWaiting("run_1", [eventWait("w", due: at(10))])
                try await scene.send(event("1"), at: at(3))
                try await scene.send(event("2"), at: at(4))
                let claimed = try await scene.claim(at: at(20))
                try expectEqual(claimed.flatMap(\.answers).map(\.payload), [event("1").envelope])
            },
            Check(area: "waits", promise: "answers come oldest first") { scene in
                _ = try await scene.startWaiting(
                    "run_1",
                    [timer("t2", due: at(6)), timer("t1", due: at(5)), eventWait("e"), approvalWait("a")])
                try await scene.send(event("1"), at: at(3))
                _ = try await scene.journal.decide(
                    approval: "a", Decision(outcome: "approve", by: "b", at: at(2)))
                let claimed = try await scene.claim(at: at(9))
                try expectEqual(claimed.flatMap(\.answers).map(\.wait), ["a", "e", "t1", "t2"])
            },
            Check(area: "waits", promise: "an answer that comes while the run is owned is seen when it waits")
            {
                scene in
                let number = try await scene.startClaimed("run_1")
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(1), opens: [eventWait("w")], next: .running))
                try await scene.send(event("1"), at: at(2))
                try expectEqual(try await scene.claim(at: at(3)).count, 0)
                let receipt = try await scene.commit(Commit(run: number, epoch: 1, at: at(4), next: .waiting))
                try expectEqual(receipt.wakesRuns, true)
                try expectEqual(try await scene.claim(at: at(4)).flatMap(\.answers).map(\.wait), ["w"])
            },
            Check(area: "waits", promise: "ids are unique, and free again once closed") { scene in
                let number = try await scene.startWaiting(
                    "run_1", [timer("t", due: at(5)), approvalWait("a")])
                let other = try await scene.startClaimed("run_2")
                func open(_ waits: [Wait], closes: [String] = []) async throws {
                    try await scene.commit(
                        Commit(run: other, epoch: 1, at: at(1), opens: waits, closes: closes, next: .running))
                }
                try await expectInvalid { try await open([timer("t", due: nil)]) }
                try await expectInvalid { try await open([timer("t", due: nil)], closes: ["t"]) }
                try await expectInvalid { try await open([timer("x", due: nil), timer("x", due: nil)]) }
                _ = try await scene.claim(at: at(5), only: number)
                try await scene.commit(
                    Commit(run: number, epoch: 2, at: at(5), closes: ["t", "a", "none"], next: .running))
                try expectEqual(try await scene.journal.approval(id: "a")?.status, .cancelled)
                try await open([timer("t", due: nil)])
                try await expectInvalid { try await open([approvalWait("a")]) }
            },
        ]
    }

    static var lookBackChecks: [Check] {
        [
            Check(area: "look-back", promise: "the oldest matching event since the run began answers at once")
            {
                scene in
                try await scene.send(event("0", data: ["n": 1]))
                try await scene.send(event("start", data: ["n": 1]), starts: [newRun("run_1")])
                let number = try await scene.run("run_1").number
                _ = try await scene.claim(only: number)
                try await scene.send(event("1", type: "other", data: ["n": 1]), at: at(1))
                try await scene.send(event("2", data: ["n": 2]), at: at(2))
                try await scene.send(event("3", data: ["n": 1]), at: at(3))
                try await scene.send(event("4", data: ["n": 1]), at: at(4))
                let receipt = try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(5), opens: [eventWait("w", ["n": 1])], next: .waiting))
                try expectEqual(receipt.wakesRuns, true)
                let claimed = try await scene.claim(at: at(5))
                try expectEqual(
                    claimed.flatMap(\.answers).map(\.payload), [event("3", data: ["n": 1]).envelope])
                try expectEqual(claimed.flatMap(\.answers).map(\.at), [at(5)])
            },
            Check(area: "look-back", promise: "the event that started the run is not a later one") { scene in
                try await scene.send(event("start"), starts: [newRun("run_1")])
                let number = try await scene.run("run_1").number
                _ = try await scene.claim(only: number)
                let receipt = try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(5), opens: [eventWait("w")], next: .waiting))
                try expectEqual(receipt.wakesRuns, false)
            },
            Check(area: "look-back", promise: "an event answers one wait of a run, even after that is closed")
            {
                scene in
                let number = try await scene.startClaimed("run_1")
                try await scene.send(event("1"), at: at(1))
                try await scene.send(event("2"), at: at(2))
                func answered(_ wait: String, closes: [String], epoch: Int64) async throws -> [Payload?] {
                    try await scene.commit(
                        Commit(
                            run: number, epoch: epoch, at: at(3), opens: [eventWait(wait)], closes: closes,
                            next: .waiting))
                    return try await scene.claim(at: at(3), only: number).flatMap(\.answers).map(\.payload)
                }
                try expectEqual(try await answered("w1", closes: [], epoch: 1), [event("1").envelope])
                try expectEqual(try await answered("w2", closes: ["w1"], epoch: 2), [event("2").envelope])
                try expectEqual(try await answered("w3", closes: ["w2"], epoch: 3), [])
            },
            Check(area: "look-back", promise: "stays in the run's namespace") { scene in
                let number = try await scene.startClaimed("run_1")
                var foreign = event("1")
                foreign.namespace = "other"
                try await scene.send(foreign, at: at(1))
                let receipt = try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(5), opens: [eventWait("w")], next: .waiting))
                try expectEqual(receipt.wakesRuns, false)
                foreign.sourceID = "2"
                foreign.id = "evt_2"
                try await scene.send(foreign, at: at(6))
                try expectEqual(try await scene.claim(at: at(7)).count, 0)
            },
        ]
    }
}
