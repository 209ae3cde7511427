import PerigeeJournal

extension JournalContract {
    static var lockChecks: [Check] {
        [
            Check(area: "locks", promise: "one holds it, and it goes on in the order of arrival") { scene in
                let first = try await scene.startWaiting("run_1", [lockWait("w1")])
                let second = try await scene.startWaiting("run_2", [lockWait("w2")], at: at(1))
                _ = try await scene.startWaiting("run_3", [lockWait("w3")], at: at(2))
                try expectEqual(try await scene.answered(at: at(3)), ["w1"])
                try await scene.take(first, "w1", at: at(3))
                try expectEqual(try await scene.relations("run_1").heldLocks.map(\.key), ["k"])
                try expectEqual(
                    try await scene.relations("run_3").awaitedLocks,
                    [AwaitedLock(key: "k", holder: "run_1", ahead: 1)])
                try expectEqual(try await scene.answered(at: at(4)), [])
                let given = try await scene.commit(
                    Commit(
                        run: first, epoch: 2, at: at(5), releases: ["w1", "w1", "none"], next: .running))
                try expectEqual(given.wakesRuns, true)
                try expectEqual(try await scene.answered(at: at(5)), ["w2"])
                try await scene.commit(
                    Commit(
                        run: second, epoch: 2, at: at(6), closes: ["w2"],
                        next: .ended(.completed, output: nil, error: nil)))
                try expectEqual(try await scene.answered(at: at(6)), ["w3"])
            },
            Check(area: "locks", promise: "other keys and other namespaces are free") { scene in
                _ = try await scene.startWaiting("run_1", [lockWait("w1"), lockWait("w2", key: "other")])
                try expectEqual(try await scene.answered(at: at(1)), ["w1", "w2"])
                _ = try await scene.submit(
                    Submission(namespace: "second", starts: [newRun("run_2")]))
                let claim = try await scene.journal.claim(
                    host: "host-1", namespace: "second", now: at(1), limit: 1, only: nil)
                let number = try require(claim.runs.first, "a run").run.number
                let receipt = try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(1), opens: [lockWait("w3")], next: .waiting))
                try expectEqual(receipt.wakesRuns, true)
            },
            Check(area: "locks", promise: "who waits too long, or leaves, is passed over") { scene in
                let first = try await scene.startWaiting("run_1", [lockWait("w1")])
                _ = try await scene.startWaiting("run_2", [lockWait("w2", due: at(5))])
                _ = try await scene.startWaiting("run_3", [lockWait("w3")])
                _ = try await scene.startWaiting("run_4", [lockWait("w4")])
                _ = try await scene.claim(at: at(1), only: first)
                let timedOut = try await scene.claim(at: at(5))
                try expectEqual(timedOut.flatMap(\.answers).map(\.payload), [nil])
                _ = try await scene.cancel("run_3", "{}", isForced: true, at: at(6))
                try await scene.commit(
                    Commit(run: first, epoch: 2, at: at(7), closes: ["w1"], releases: ["w1"], next: .running))
                try expectEqual(try await scene.answered(at: at(7)), ["w4"])
            },
            Check(area: "locks", promise: "an end gives back all, however it comes") { scene in
                _ = try await scene.startWaiting("run_1", [lockWait("w1")])
                _ = try await scene.startWaiting("run_2", [lockWait("w2")])
                _ = try await scene.cancel("run_1", "{}", isForced: true, at: at(1))
                try expectEqual(try await scene.answered(at: at(1)), ["w2"])
                try expectEqual(try await scene.relations("run_1").heldLocks, [])
            },
            Check(area: "locks", promise: "attention keeps what was taken over, and gives back what was not")
            {
                scene in
                let first = try await scene.startWaiting("run_1", [lockWait("w1"), lockWait("w2", key: "l")])
                _ = try await scene.startWaiting("run_2", [lockWait("w3")])
                _ = try await scene.startWaiting("run_3", [lockWait("w4", key: "l")])
                _ = try await scene.claim(at: at(1), only: first)
                let receipt = try await scene.commit(
                    Commit(
                        run: first, epoch: 2, at: at(2), closes: ["w1"],
                        next: .attention(error: payload("{}"))))
                try expectEqual(receipt.wakesRuns, true)
                try expectEqual(try await scene.answered(at: at(2)), ["w4"])
                try expectEqual(try await scene.relations("run_1").heldLocks.map(\.key), ["k"])
            },
        ]
    }
}

func lockWait(_ id: String, key: String = "k", due: Timestamp? = nil) -> Wait {
    Wait(id: id, address: address(id), kind: .lock(key: key), openedAt: at(0), dueAt: due)
}

extension Scene {
    /// The waits whose answers the runs that can be claimed now get.
    func answered(at: Timestamp) async throws -> [String] {
        try await claim(at: at).flatMap(\.answers).map(\.wait)
    }

    /// Takes an answer over and goes on.
    fileprivate func take(_ number: Int64, _ wait: String, at: Timestamp) async throws {
        try await commit(
            Commit(run: number, epoch: 2, at: at, closes: [wait], next: .running))
    }

    func relations(_ id: String) async throws -> RunRelations {
        try require(try await journal.relations(run: id), "relations of \(id)")
    }
}
