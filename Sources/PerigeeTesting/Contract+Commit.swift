import PerigeeJournal

extension JournalContract {
    static var commitChecks: [Check] {
        [
            Check(area: "commit", promise: "everything it says is recorded") { scene in
                let number = try await scene.startClaimed("run_1")
                let step = Step(address: address("Ask"), verb: "sleep", arguments: payload("{}"), line: 0)
                let failed = Fact.stepCompleted(
                    step, .failure(payload(#"{"kind":"http"}"#)), attempts: 3, startedAt: at(1))
                let entries = [
                    completed(1), Entry(sequence: 2, recordedAt: at(2), fact: failed),
                    Entry(sequence: 3, recordedAt: at(2), fact: .waitOpened(step, wait: "w", attempts: 3)),
                    Entry(sequence: 4, recordedAt: at(2), fact: .versionMoved(from: 1, to: 2, bundle: "b2")),
                ]
                let receipt = try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(2), entries: entries, tags: payload(#"{"a":"b"}"#),
                        statusText: "on it", move: Commit.Move(version: 2, bundle: "b2"), next: .running))
                try expectEqual(receipt.wakesRuns, false)
                try expectEqual(try await scene.journal.entries(run: number, after: 0, limit: 10), entries)
                let run = try await scene.run("run_1")
                try expectEqual(run.entryCount, 4)
                try expectEqual(run.tags, payload(#"{"a":"b"}"#))
                try expectEqual(run.statusText, "on it")
                try expectEqual(run.version, 2)
                try expectEqual(run.bundle, "b2")
                try expectEqual(run.status, .running)
                try await scene.commit(Commit(run: number, epoch: 1, at: at(3), next: .running))
                try expectEqual(try await scene.run("run_1").statusText, "on it")
            },
            Check(area: "commit", promise: "an end says everything else about the run, too") { scene in
                let number = try await scene.startClaimed("run_1")
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(2), entries: [completed(1), completed(2)],
                        tags: payload(#"{"a":"b"}"#), statusText: "done",
                        move: Commit.Move(version: 2, bundle: "b2"),
                        next: .ended(.completed, output: payload("1"), error: nil)))
                let run = try await scene.run("run_1")
                try expectEqual(run.status, .completed)
                try expectEqual(run.entryCount, 2)
                try expectEqual(run.tags, payload(#"{"a":"b"}"#))
                try expectEqual(run.statusText, "done")
                try expectEqual(run.version, 2)
                try expectEqual(run.bundle, "b2")
            },
            Check(area: "commit", promise: "an end is final and shows output, error and time") { scene in
                let number = try await scene.startClaimed("run_1")
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(8), opens: [timer("t", due: nil), approvalWait("a")],
                        next: .ended(.failed, output: payload("1"), error: payload("{}"))))
                let run = try await scene.run("run_1")
                try expectEqual(run.status, .failed)
                try expectEqual(run.output, payload("1"))
                try expectEqual(run.error, payload("{}"))
                try expectEqual(run.endedAt, at(8))
                try expectEqual(run.owner, nil)
                try expectEqual(try await scene.journal.approval(id: "a")?.status, .cancelled)
                try expectEqual(try await scene.claim(at: at(99)).count, 0)
            },
            Check(area: "commit", promise: "attention lets go of the run and of what it waited for") {
                scene in
                let number = try await scene.startClaimed("run_1")
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1), opens: [timer("t", due: at(2)), approvalWait("a")],
                        next: .attention(error: payload("{}"))))
                let run = try await scene.run("run_1")
                try expectEqual(run.status, .attention)
                try expectEqual(run.error, payload("{}"))
                try expectEqual(run.owner, nil)
                try expectEqual(run.endedAt, nil)
                try expectEqual(try await scene.journal.approval(id: "a")?.status, .cancelled)
                try expectEqual(try await scene.claim(at: at(99)).count, 0)
            },
            Check(area: "commit", promise: "what it emits is submitted with it") { scene in
                let number = try await scene.startClaimed("run_1")
                _ = try await scene.startWaiting("run_2", [eventWait("w")])
                let emit = Submission(namespace: "main", event: event("1"), starts: [newRun("run_3")])
                let receipt = try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(4), emits: [emit], next: .running))
                try expectEqual(receipt.wakesRuns, true)
                let claimed = try await scene.claim(at: at(4))
                try expectEqual(claimed.map(\.run.id), ["run_2", "run_3"])
                try expectEqual(claimed.flatMap(\.answers).map(\.payload), [event("1").envelope])
                let again = try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(5), emits: [emit], next: .running))
                try expectEqual(again.wakesRuns, false)
            },
            Check(area: "commit", promise: "a refused emit refuses all of it") { scene in
                let number = try await scene.startClaimed("run_1")
                let good = Submission(namespace: "main", event: event("1"), starts: [newRun("run_2")])
                let bad = Submission(namespace: "main", event: event("2"), starts: [newRun("run_1")])
                try await expectInvalid {
                    try await scene.commit(
                        Commit(
                            run: number, epoch: 1, at: at(4), entries: [completed(1)],
                            opens: [timer("t", due: at(5))], emits: [good, bad], next: .running))
                }
                try expect(try await scene.journal.run(id: "run_2") == nil, "nothing of it is recorded")
                try expectEqual(try await scene.run("run_1").entryCount, 0)
                try expectEqual(
                    try await scene.submit(Submission(namespace: "main", event: event("1"), starts: []))
                        .isDuplicate, false)
            },
        ]
    }

    static var fencingChecks: [Check] {
        [
            Check(
                area: "fencing", promise: "a commit of an old epoch, an unowned or an unknown run is refused"
            ) {
                scene in
                let number = try await scene.startWaiting("run_1", [timer("t", due: at(5))])
                func refused(_ run: Int64, _ epoch: Int64) async throws {
                    try await expectError(.fenced(run: run)) {
                        try await scene.commit(Commit(run: run, epoch: epoch, at: at(1), next: .running))
                    }
                }
                try await refused(number, 1)
                try await refused(77, 1)
                _ = try await scene.claim(at: at(5))
                try await refused(number, 1)
                try await scene.commit(
                    Commit(
                        run: number, epoch: 2, at: at(5), next: .ended(.completed, output: nil, error: nil)))
                try await refused(number, 2)
            },
            Check(area: "fencing", promise: "entries follow the last one without a gap") { scene in
                let number = try await scene.startClaimed("run_1")
                func refused(_ sequences: [Int], expected: Int, got: Int) async throws {
                    let error = JournalError.wrongSequence(run: number, expected: expected, got: got)
                    try await expectError(error) {
                        try await scene.commit(
                            Commit(
                                run: number, epoch: 1, at: at(1), entries: sequences.map { completed($0) },
                                next: .running))
                    }
                }
                try await refused([2], expected: 1, got: 2)
                try await refused([1, 3], expected: 2, got: 3)
                try await scene.commit(
                    Commit(run: number, epoch: 1, at: at(1), entries: [completed(1)], next: .running))
                try await refused([1], expected: 2, got: 1)
                try expectEqual(try await scene.run("run_1").entryCount, 1)
            },
            Check(area: "fencing", promise: "a bad commit does not fail the others") { scene in
                let one = try await scene.startClaimed("run_1")
                let two = try await scene.startClaimed("run_2")
                let results = try await scene.journal.commit([
                    Commit(run: one, epoch: 1, at: at(1), entries: [completed(1)], next: .running),
                    Commit(run: one, epoch: 9, at: at(1), entries: [completed(2)], next: .running),
                    Commit(run: one, epoch: 1, at: at(1), next: .ended(.waiting, output: nil, error: nil)),
                    Commit(run: two, epoch: 1, at: at(1), next: .waiting),
                    Commit(run: one, epoch: 1, at: at(1), entries: [completed(2)], next: .running),
                ])
                try expectEqual(results.map { (try? $0.get()) != nil }, [true, false, false, false, true])
                try expectEqual(try await scene.run("run_1").entryCount, 2)
                try expectEqual(try await scene.run("run_2").status, .running)
            },
        ]
    }
}
