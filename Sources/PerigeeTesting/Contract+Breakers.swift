import PerigeeJournal

extension JournalContract {
    static var breakerChecks: [Check] {
        let rule = BreakerRule(failures: 2, ratio: nil, overMilliseconds: 60_000, pauseMilliseconds: 30_000)
        return [
            Check(area: "breakers", promise: "too many failed runs hold back the others until one succeeds") {
                scene in
                try await scene.save(rule)
                try await scene.fail(2)
                let last = try require(try await scene.journal.history(run: "run_2"), "a history")
                try expectEqual(last.annotations.map(\.level), ["warning"])
                for id in ["run_3", "run_4", "run_5"] { _ = try await scene.start(newRun(id)) }
                _ = try await scene.start(newRun("other", workflow: "billing"))
                let claim = try await scene.journal.claim(
                    host: "host-1", namespace: "main", now: at(3), limit: 9, only: nil)
                try expectEqual(claim.runs.map(\.run.id), ["other"])
                try expectEqual(claim.nextDue, at(31))
                try expectEqual(
                    try await scene.run("run_3").blockedBy,
                    Blockage(kind: .breaker, key: "onboarding", limit: 0, runs: [], until: at(31)))
                try expectEqual(try await scene.claim(at: at(31)).map(\.run.id), ["run_3"])
                try await scene.end("run_3", .failed, at: at(32))
                try expectEqual(try await scene.claim(at: at(61)).count, 0)
                try expectEqual(try await scene.claim(at: at(62)).map(\.run.id), ["run_4"])
                try await scene.end("run_4", .completed, at: at(63))
                try expectEqual(try await scene.claim(at: at(63)).map(\.run.id), ["run_5"])
                try expectEqual(try await scene.run("run_5").blockedBy, nil)
            },
            Check(
                area: "breakers", promise: "a run that is tried and goes on for long holds back for one pause"
            ) {
                scene in
                try await scene.save(rule)
                try await scene.fail(2)
                for id in ["run_3", "run_4"] { _ = try await scene.start(newRun(id)) }
                try expectEqual(try await scene.claim(at: at(31)).map(\.run.id), ["run_3"])
                try expectEqual(try await scene.claim(at: at(60)).count, 0)
                try expectEqual(try await scene.claim(at: at(61)).map(\.run.id), ["run_4"])
            },
            Check(area: "breakers", promise: "a workflow without one holds nothing back any more") { scene in
                try await scene.save(rule)
                try await scene.fail(2)
                _ = try await scene.start(newRun("run_3"))
                try expectEqual(try await scene.claim(at: at(3)).count, 0)
                try await scene.save(nil)
                try expectEqual(try await scene.claim(at: at(5)).map(\.run.id), ["run_3"])
            },
            Check(
                area: "breakers", promise: "runs that need attention failed, runs that were cancelled did not"
            ) {
                scene in
                try await scene.save(rule)
                for number in 1...3 { _ = try await scene.startClaimed("run_\(number)") }
                _ = try await scene.cancel("run_1", "{}", isForced: true, at: at(1))
                for id in ["run_2", "run_3"] {
                    let run = try await scene.run(id)
                    try await scene.commit(
                        Commit(run: run.number, epoch: 1, at: at(1), next: .attention(error: payload("{}"))))
                }
                _ = try await scene.start(newRun("run_4"))
                try expectEqual(try await scene.claim(at: at(2)).count, 0)
            },
        ]
    }
}

extension Scene {
    fileprivate func save(_ rule: BreakerRule?) async throws {
        _ = try await journal.saveVersion(
            namespace: "main", workflow: "onboarding", bundle: "b1", files: ["onboarding.lua": "x"],
            rules: WorkflowRules(breaker: rule), now: at(0))
    }

    /// So many runs fail one after the other.
    fileprivate func fail(_ count: Int) async throws {
        for number in 1...count {
            _ = try await startClaimed("run_\(number)")
            try await end("run_\(number)", .failed, at: at(1))
        }
    }

    /// A run that this host works on ends.
    fileprivate func end(_ id: String, _ status: RunStatus, at now: Timestamp) async throws {
        let run = try await run(id)
        try await commit(
            Commit(run: run.number, epoch: run.epoch, at: now, next: .ended(status, output: nil, error: nil)))
    }
}
