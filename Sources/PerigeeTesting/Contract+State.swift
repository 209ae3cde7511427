import PerigeeJournal

extension JournalContract {
    static var stateChecks: [Check] {
        [
            Check(area: "state", promise: "values of a workflow change in order, with the commit") { scene in
                let number = try await scene.startClaimed("run_1")
                try await scene.write(
                    number,
                    [
                        StateWrite(key: "a", change: .set(payload(#"{"n":[1]}"#))),
                        StateWrite(key: "b", change: .set(payload("1"))),
                        StateWrite(key: "b", change: .delete), StateWrite(key: "b", change: .add(2)),
                        StateWrite(key: "b", change: .add(0.5)), StateWrite(key: "none", change: .delete),
                    ])
                try expectEqual(try await scene.value("a"), payload(#"{"n":[1]}"#))
                try expectEqual(try await scene.value("b"), payload("2.5"))
                try expectEqual(try await scene.value("none"), nil)
                try expectEqual(try await scene.value("a", workflow: "other"), nil)
                try expectEqual(
                    try await scene.journal.state(namespace: "other", workflow: "onboarding", key: "a"), nil)
            },
            Check(area: "state", promise: "a value of the namespace is none of the workflow") { scene in
                let number = try await scene.startClaimed("run_1")
                let add = StateWrite(key: "a", change: .add(1), isShared: true)
                let own = StateWrite(key: "a", change: .set(payload("7")))
                try await scene.write(number, [add, own, add])
                let shared = StateWrite.sharedWorkflow
                try expectEqual(try await scene.value("a"), payload("7"))
                try expectEqual(try await scene.value("a", workflow: shared), payload("2"))
                try expectEqual(
                    try await scene.journal.state(namespace: "other", workflow: shared, key: "a"), nil)
                try await scene.write(
                    number, [StateWrite(key: "a", change: .delete, isShared: true)])
                try expectEqual(try await scene.value("a"), payload("7"))
                try expectEqual(try await scene.value("a", workflow: shared), nil)
            },
            Check(area: "state", promise: "what two runs add is all there") { scene in
                let one = try await scene.startClaimed("run_1")
                let two = try await scene.startClaimed("run_2")
                let add = StateWrite(key: "n", change: .add(1))
                let results = try await scene.journal.commit([
                    Commit(run: one, epoch: 1, at: at(1), writes: [add, add], next: .running),
                    Commit(run: two, epoch: 1, at: at(1), writes: [add], next: .running),
                ])
                for result in results { _ = try result.get() }
                try expectEqual(try await scene.value("n"), payload("3"))
            },
            Check(area: "state", promise: "nothing is added to what is no number, and the run shows that") {
                scene in
                let number = try await scene.startClaimed("run_1")
                try await scene.write(
                    number,
                    [
                        StateWrite(key: "t", change: .set(payload(#""x""#))),
                        StateWrite(key: "t", change: .add(1)), StateWrite(key: "n", change: .add(1)),
                    ])
                try expectEqual(try await scene.value("t"), payload(#""x""#))
                try expectEqual(try await scene.value("n"), payload("1"))
                let history = try require(try await scene.journal.history(run: "run_1"), "a history")
                try expectEqual(history.annotations.map(\.level), ["error"])
            },
            Check(area: "state", promise: "a refused commit changes no value") { scene in
                let number = try await scene.startClaimed("run_1")
                try await expectInvalid {
                    try await scene.commit(
                        Commit(
                            run: number, epoch: 1, at: at(1),
                            writes: [StateWrite(key: "a", change: .set(payload("1")))],
                            starts: [newRun("run_1")], next: .running))
                }
                try expectEqual(try await scene.value("a"), nil)
            },
        ]
    }
}

extension Scene {
    fileprivate func write(_ number: Int64, _ writes: [StateWrite]) async throws {
        try await commit(Commit(run: number, epoch: 1, at: at(1), writes: writes, next: .running))
    }

    fileprivate func value(_ key: String, workflow: String = "onboarding") async throws -> Payload? {
        try await journal.state(namespace: "main", workflow: workflow, key: key)
    }
}
