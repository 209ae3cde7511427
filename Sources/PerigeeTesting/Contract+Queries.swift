import PerigeeJournal

extension JournalContract {
    static var queryChecks: [Check] {
        [
            Check(area: "queries", promise: "runs are found by the code of their error") { scene in
                let errors = [#"{"code":"PG1"}"#, "no JSON", #"{"code":2}"#]
                for (id, error) in zip(["run_1", "run_2", "run_3"], errors) {
                    let number = try await scene.startClaimed(id)
                    try await scene.commit(
                        Commit(run: number, epoch: 1, at: at(1), next: .attention(error: payload(error))))
                }
                let page = try await scene.journal.runs(RunQuery(namespace: "main", errorCode: "PG1"))
                try expectEqual(page.runs.map(\.id), ["run_1"])
            },
            Check(area: "queries", promise: "who has written reads it, however many read at the same time") {
                scene in
                try await withThrowingDiscardingTaskGroup { group in
                    for member in 1...64 {
                        group.addTask { try await writeAndRead("run_\(member)", in: scene) }
                    }
                }
            },
            Check(area: "versions", promise: "a version is found by its number") { scene in
                for text in ["x", "y"] {
                    _ = try await scene.journal.saveVersion(
                        namespace: "main", workflow: "w", bundle: text, files: ["w.lua": text], now: at(1))
                }
                func bundle(_ number: Int) async throws -> String? {
                    try await scene.journal.version(namespace: "main", workflow: "w", number: number)?.bundle
                }
                try expectEqual(try await bundle(1), "x")
                try expectEqual(try await bundle(2), "y")
                try expectEqual(try await bundle(3), nil)
            },
            Check(area: "queries", promise: "pages go from the newest run to the oldest") { scene in
                for number in 1...5 { _ = try await scene.start(newRun("run_\(number)")) }
                var query = RunQuery(namespace: "main", limit: 2)
                var pages: [[String]] = []
                repeat {
                    let page = try await scene.journal.runs(query)
                    pages.append(page.runs.map(\.id))
                    query.cursor = page.nextCursor
                } while query.cursor != nil
                try expectEqual(pages, [["run_5", "run_4"], ["run_3", "run_2"], ["run_1"]])
                query.limit = 5
                try expectEqual(try await scene.journal.runs(query).nextCursor, nil)
                try expectEqual(try await scene.journal.runs(RunQuery(namespace: "other")).runs, [])
                query.limit = 0
                let wrong = query
                try await expectInvalid { _ = try await scene.journal.runs(wrong) }
            },
            Check(area: "queries", promise: "every set field narrows the list") { scene in
                _ = try await scene.startWaiting("run_1", [timer("t", due: at(9))])
                _ = try await scene.start(newRun("run_2", workflow: "b", key: "k"))
                _ = try await scene.start(newRun("run_3", workflow: "c", key: "k"))
                _ = try await scene.startClaimed("run_4")
                func ids(
                    _ statuses: Set<RunStatus> = [], _ workflows: Set<String> = [], key: String? = nil
                ) async throws -> [String] {
                    let query = RunQuery(
                        namespace: "main", statuses: statuses, workflows: workflows, key: key)
                    return try await scene.journal.runs(query).runs.map(\.id)
                }
                try expectEqual(try await ids(), ["run_4", "run_3", "run_2", "run_1"])
                try expectEqual(try await ids([.queued]), ["run_3", "run_2"])
                try expectEqual(try await ids([.running, .waiting]), ["run_4", "run_1"])
                try expectEqual(try await ids([], ["b", "c"]), ["run_3", "run_2"])
                try expectEqual(try await ids([.queued], ["c", "onboarding"]), ["run_3"])
                try expectEqual(try await ids([], [], key: "k"), ["run_3", "run_2"])
                try expectEqual(try await ids([], ["b"], key: "k"), ["run_2"])
                try expectEqual(try await ids([.completed]), [])
            },
            Check(area: "queries", promise: "runs in a page show what they wait for") { scene in
                _ = try await scene.startWaiting("run_1", [timer("t1", due: at(9)), timer("t2", due: at(8))])
                _ = try await scene.start(newRun("run_2"))
                _ = try await scene.startWaiting("run_3", [approvalWait("a")])
                let page = try await scene.journal.runs(RunQuery(namespace: "main"))
                try expectEqual(page.runs.map { $0.waits.map(\.id) }, [["a"], [], ["t1", "t2"]])
                try expectEqual(page.runs[0], try await scene.run("run_3"))
            },
            Check(area: "queries", promise: "the store can be written") { scene in
                try await scene.journal.checkWritable()
            },
        ]
    }

    static var historyChecks: [Check] {
        [
            Check(area: "history", promise: "entries come in parts, in order") { scene in
                let number = try await scene.startClaimed("run_1")
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1), entries: (1...5).map { completed($0) },
                        next: .running))
                func sequences(after: Int, limit: Int) async throws -> [Int] {
                    try await scene.journal.entries(run: number, after: after, limit: limit).map(\.sequence)
                }
                try expectEqual(try await sequences(after: 0, limit: 2), [1, 2])
                try expectEqual(try await sequences(after: 2, limit: 9), [3, 4, 5])
                try expectEqual(try await sequences(after: 5, limit: 9), [])
                try expectEqual(try await scene.journal.entries(run: 99, after: 0, limit: 1), [])
                try await expectInvalid { _ = try await sequences(after: 0, limit: 0) }
            },
            Check(area: "history", promise: "annotations keep the first of each ordinal") { scene in
                let number = try await scene.startClaimed("run_1")
                func note(_ ordinal: Int?, _ text: String) -> Annotation {
                    Annotation(
                        ordinal: ordinal, at: at(1), kind: .note, level: "warning", text: text,
                        data: payload("{}"), step: address(text))
                }
                let log = Annotation(ordinal: 2, at: at(2), kind: .log, text: "")
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1), entries: [completed(1)],
                        annotations: [note(1, "a"), note(nil, "host")], next: .running))
                try await scene.commit(
                    Commit(
                        run: number, epoch: 1, at: at(1),
                        annotations: [note(1, "again"), log, note(nil, "host"), note(2, "c")], next: .running)
                )
                let history = try require(try await scene.journal.history(run: "run_1"), "the history")
                try expectEqual(
                    history.annotations, [note(1, "a"), note(nil, "host"), log, note(nil, "host")])
                try expectEqual(history.entries, [completed(1)])
                try expectEqual(history.run, try await scene.run("run_1"))
                try expect(try await scene.journal.history(run: "x") == nil, "no such run")
            },
        ]
    }
}

/// Writes something again and again, and reads it at once.
private func writeAndRead(_ id: String, in scene: Scene) async throws {
    // Made and claimed: each of them reads the run.
    let number = try await scene.startClaimed(id)
    for sequence in 1...10 {
        try await scene.commit(
            Commit(run: number, epoch: 1, at: at(1), entries: [completed(sequence)], next: .running))
        let entries = try await scene.journal.entries(run: number, after: 0, limit: 100)
        try expectEqual(entries.map(\.sequence), Array(1...sequence))
        try expectEqual(try await scene.run(id).entryCount, sequence)
    }
}
