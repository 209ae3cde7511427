import PerigeeJournal

extension JournalContract {
    static var scheduleChecks: [Check] {
        [
            Check(area: "schedules", promise: "a schedule is stored as it is given, and its revision rises") {
                scene in
                let first = schedule(last: at(5))
                let receipt = try await scene.advance(ScheduleAdvance(schedule: first))
                var stored = first
                stored.revision = 1
                try expectEqual(receipt?.schedule, stored)
                try expectEqual(try await scene.journal.schedules(namespace: "main"), [stored])
                try expectEqual(try await scene.journal.schedules(namespace: "second"), [])
                var next = stored
                next.lastOccurrence = at(65)
                next.lastStarted = at(65)
                next.pending = [at(70), at(71)]
                next.withdrawnAt = at(80)
                next.note = "missed"
                _ = try await scene.advance(ScheduleAdvance(schedule: next))
                next.revision = 2
                try expectEqual(try await scene.journal.schedules(namespace: "main"), [next])
            },
            Check(area: "schedules", promise: "of two that deal with the same occurrence one does it") {
                scene in
                _ = try await scene.advance(ScheduleAdvance(schedule: schedule(last: at(0))))
                var due = schedule(last: at(60))
                due.revision = 1
                let won = try await scene.advance(ScheduleAdvance(schedule: due, starts: [newRun("run_1")]))
                try expectEqual(won?.runs, ["run_1"])
                let lost = try await scene.advance(ScheduleAdvance(schedule: due, starts: [newRun("run_2")]))
                try expectEqual(lost, nil)
                try expectEqual(try await scene.journal.run(id: "run_2"), nil)
                let new = try await scene.advance(ScheduleAdvance(schedule: schedule(last: at(60))))
                try expectEqual(new, nil)
                try expectEqual(try await scene.claim().map(\.run.id), ["run_1"])
            },
            Check(
                area: "schedules",
                promise: "its open runs are those that have not ended and need no attention"
            ) {
                scene in
                let starts = ["run_1", "run_2", "run_3"].map { newRun($0) }
                _ = try await scene.advance(ScheduleAdvance(schedule: schedule(last: at(0)), starts: starts))
                _ = try await scene.start(newRun("run_other"))
                func open() async throws -> [String] {
                    try await scene.journal.schedules(namespace: "main").flatMap(\.openRuns)
                }
                try expectEqual(try await open(), ["run_1", "run_2", "run_3"])
                let claimed = try await scene.claim(limit: 2)
                let ends: [Commit.Next] = [
                    .ended(.completed, output: nil, error: nil), .attention(error: payload("{}")),
                ]
                for (run, next) in zip(claimed, ends) {
                    try await scene.commit(Commit(run: run.run.number, epoch: 1, at: at(1), next: next))
                }
                try expectEqual(try await open(), ["run_3"])
            },
            Check(area: "schedules", promise: "open runs are ended before the next one starts") { scene in
                _ = try await scene.beat()
                _ = try await scene.advance(
                    ScheduleAdvance(
                        schedule: schedule(last: at(0)), starts: [newRun("run_1"), newRun("run_2")]))
                let number = try await scene.run("run_1").number
                _ = try await scene.claim(only: number)
                var due = schedule(last: at(60))
                due.revision = 1
                let receipt = try require(
                    try await scene.advance(
                        ScheduleAdvance(schedule: due, starts: [newRun("run_3")], terminates: payload("1")),
                        at: at(61)),
                    "a receipt")
                try expectEqual(receipt.terminated.map(\.id), ["run_1", "run_2"])
                try expectEqual(receipt.schedule.openRuns, ["run_3"])
                let ended = try await scene.run("run_1")
                try expectEqual(ended, receipt.terminated[0])
                try expectEqual(ended.status, .terminated)
                try expectEqual(ended.error, payload("1"))
                try expectEqual(ended.endedAt, at(61))
                try await expectError(.fenced(run: number)) {
                    try await scene.commit(Commit(run: number, epoch: 1, at: at(62), next: .running))
                }
                try expectEqual(try await scene.claim(at: at(62)).map(\.run.id), ["run_3"])
            },
            Check(area: "schedules", promise: "an advance that can't be stored does nothing") { scene in
                _ = try await scene.start(newRun("run_1"))
                var wanted = schedule(last: at(0))
                try await expectInvalid {
                    _ = try await scene.advance(
                        ScheduleAdvance(schedule: wanted, starts: [newRun("run_2"), newRun("run_1")]))
                }
                wanted.pending = Array(repeating: at(1), count: ScheduleRecord.mostPending + 1)
                try await expectInvalid { _ = try await scene.advance(ScheduleAdvance(schedule: wanted)) }
                try expectEqual(try await scene.journal.schedules(namespace: "main"), [])
                try expectEqual(try await scene.journal.run(id: "run_2"), nil)
            },
        ]
    }
}

private func schedule(last: Timestamp) -> ScheduleRecord {
    ScheduleRecord(namespace: "main", id: "sch_1", workflow: "onboarding", lastOccurrence: last)
}

extension Scene {
    fileprivate func advance(_ advance: ScheduleAdvance, at: Timestamp = at(0)) async throws
        -> ScheduleReceipt?
    {
        try await journal.advance(advance, now: at)
    }
}
