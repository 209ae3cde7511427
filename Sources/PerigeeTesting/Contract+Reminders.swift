import PerigeeJournal

extension JournalContract {
    static var reminderChecks: [Check] {
        [
            Check(area: "reminders", promise: "those that are due come first, the longest overdue first") {
                scene in
                let waits = [
                    approvalWait("a", remindAt: [at(8), at(20)]), approvalWait("b", remindAt: [at(5)]),
                    approvalWait("c"), approvalWait("d", due: at(9), remindAt: [at(7)]),
                ]
                _ = try await scene.startWaiting("run_1", waits)
                try expectEqual(try await scene.due(at: at(4)), [])
                try expectEqual(try await scene.due(at: at(8)), ["b", "d", "a"])
                let one = try await scene.journal.dueReminders(namespace: "main", now: at(8), limit: 1)
                try expectEqual(one.approvals.map(\.id), ["b"])
                try expectEqual(one.nextAt, at(7))
                // The time to decide on d is over.
                try expectEqual(try await scene.due(at: at(9)), ["b", "a"])
                let other = try await scene.journal.dueReminders(namespace: "x", now: at(9), limit: 9)
                try expectEqual(other, DueReminders(approvals: [], nextAt: nil))
                try await expectInvalid {
                    _ = try await scene.journal.dueReminders(namespace: "main", now: at(9), limit: 501)
                }
            },
            Check(area: "reminders", promise: "each is told once, with its event, its runs and its note") {
                scene in
                _ = try await scene.startWaiting("run_1", [approvalWait("a", remindAt: [at(8), at(20)])])
                try expectEqual(
                    try await scene.remind("a", 2), ReminderReceipt(isNew: false, wakesRuns: false))
                let told = try await scene.remind("a", 1, starts: [newRun("run_2")])
                try expectEqual(told, ReminderReceipt(isNew: true, wakesRuns: true))
                try expectEqual(try await scene.run("run_2").eventID, "evt_a1")
                try expectEqual(
                    try await scene.remind("a", 1), ReminderReceipt(isNew: false, wakesRuns: false))
                let approval = try require(try await scene.journal.approval(id: "a"), "a")
                try expectEqual(approval.remindersTold, 1)
                try expectEqual(approval.nextReminderAt, at(20))
                try expectEqual(try await scene.due(at: at(19)), [])
                try expectEqual(try await scene.remind("a", 2).isNew, true)
                try expectEqual(try await scene.due(at: at(99)), [])
                let history = try require(try await scene.journal.history(run: "run_1"), "the history")
                try expectEqual(history.annotations.map(\.text), ["told 1", "told 2"])
            },
            Check(area: "reminders", promise: "one whose event is refused is not told, and others are") {
                scene in
                _ = try await scene.startWaiting(
                    "run_1", [approvalWait("a", remindAt: [at(8)]), approvalWait("b", remindAt: [at(8)])])
                let reminders = [scene.reminder("a", 1, starts: [newRun("run_1")]), scene.reminder("b", 1)]
                let results = try await scene.journal.remind(reminders, now: at(9))
                try expectEqual(results.map { (try? $0.get())?.isNew }, [nil, true])
                try expectEqual(try await scene.due(at: at(9)), ["a"])
                let history = try require(try await scene.journal.history(run: "run_1"), "the history")
                try expectEqual(history.annotations.count, 1)
            },
            Check(area: "reminders", promise: "nobody is reminded of what is decided, expired or cancelled") {
                scene in
                let waits = ["a", "b", "c"].map {
                    approvalWait($0, due: $0 == "b" ? at(5) : nil, remindAt: [at(3)])
                }
                _ = try await scene.startWaiting("run_1", waits)
                _ = try await scene.journal.decide(
                    approval: "a", Decision(outcome: "approve", by: "b", at: at(2)))
                try expectEqual(try await scene.due(at: at(4)), ["b", "c"])
                _ = try await scene.claim(at: at(5))
                try expectEqual(try await scene.due(at: at(5)), ["c"])
                try await scene.journal.release(host: "host-1", now: at(6))
                _ = try await scene.journal.cancel(
                    run: "run_1", error: payload("{}"), isForced: true, now: at(6))
                try expectEqual(try await scene.due(at: at(6)), [])
                for id in ["a", "b", "c", "none"] {
                    try expectEqual(try await scene.remind(id, 1).isNew, false)
                }
            },
        ]
    }
}

extension Scene {
    fileprivate func due(at now: Timestamp) async throws -> [String] {
        try await journal.dueReminders(namespace: "main", now: now, limit: 500).approvals.map(\.id)
    }

    fileprivate func reminder(_ approval: String, _ number: Int, starts: [NewRun] = []) -> Reminder {
        let event = event("\(approval)\(number)", type: "approval.reminder")
        return Reminder(
            approval: approval, number: number,
            submission: Submission(namespace: "main", event: event, starts: starts),
            annotation: Annotation(ordinal: nil, at: at(9), kind: .note, text: "told \(number)"))
    }

    fileprivate func remind(
        _ approval: String, _ number: Int, starts: [NewRun] = []
    ) async throws -> ReminderReceipt {
        let results = try await journal.remind([reminder(approval, number, starts: starts)], now: at(9))
        return try require(results.first, "a result").get()
    }
}
