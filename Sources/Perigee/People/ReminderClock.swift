import Logging
import PerigeeJournal
import Synchronization

/// Tells at their times that approvals still wait: each reminder is an event, told once.
final class ReminderClock: Sendable {
    private static let batch = 100
    private static let retryMilliseconds: Int64 = 1000

    private let journal: any Journal
    private let registry: ScriptRegistry
    private let options: HostOptions
    private let ambient: any Ambient
    private let activity: ActivityHub
    private let dispatcher: Dispatcher
    private let logger: Logger
    private let alarm = Mutex<(due: Timestamp, task: Task<Void, Never>)?>(nil)
    private let pokes: AsyncStream<Void>
    private let poking: AsyncStream<Void>.Continuation

    init(
        journal: any Journal, registry: ScriptRegistry, options: HostOptions, ambient: any Ambient,
        activity: ActivityHub, dispatcher: Dispatcher, logger: Logger
    ) {
        self.journal = journal
        self.registry = registry
        self.options = options
        self.ambient = ambient
        self.activity = activity
        self.dispatcher = dispatcher
        self.logger = logger
        (pokes, poking) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Looks soon whether somebody is to be reminded.
    func poke() {
        poking.yield()
    }

    /// Looks at this moment, if nothing is to come earlier.
    func note(due: Timestamp) {
        alarm.withLock { alarm in
            if let alarm, alarm.due <= due { return }
            alarm?.task.cancel()
            let task = Task { [weak self, ambient] in
                guard (try? await ambient.sleep(until: due)) != nil, let self else { return }
                self.alarm.withLock { if $0?.due == due { $0 = nil } }
                poke()
            }
            alarm = (due, task)
        }
    }

    /// Reminds until the task is cancelled.
    func run() async {
        poke()
        for await _ in pokes {
            while await tellDue() {}
        }
        alarm.withLock { alarm in
            alarm?.task.cancel()
            alarm = nil
        }
    }

    /// Tells what is due; returns whether there may be more at once.
    private func tellDue() async -> Bool {
        let now = ambient.now
        do {
            let due = try await journal.dueReminders(
                namespace: options.namespace, now: now, limit: ReminderClock.batch)
            if let next = due.nextAt { note(due: next) }
            guard !due.approvals.isEmpty, !Task.isCancelled else { return false }
            var reminders: [Reminder] = []
            for approval in due.approvals { reminders.append(try await reminder(of: approval, at: now)) }
            let results = try await journal.remind(reminders, now: now)
            for (approval, result) in zip(due.approvals, results) { tell(approval, try result.get()) }
            // The next reminder of the same approval may be overdue, too.
            return true
        } catch {
            logger.error("people can't be reminded; trying again in 1 s: \(error)")
            note(due: ambient.now.adding(milliseconds: ReminderClock.retryMilliseconds))
            return false
        }
    }

    private func reminder(of approval: ApprovalRecord, at now: Timestamp) async throws -> Reminder {
        let number = approval.remindersTold + 1
        let count = approval.request.remindAt.count
        var data: [String: JSON] = [
            "approval": .string(approval.id), "run": .string(approval.run),
            "workflow": .string(approval.workflow), "label": .string(approval.address.label),
            "to": (try? JSON(parsing: approval.request.to)) ?? .array([]),
            "url": .string("\(options.publicURL)/a/\(approval.id)"), "number": .int(Int64(number)),
            "of": .int(Int64(count)),
        ]
        if let due = approval.dueAt { data["due_at"] = .string(due.description) }
        let run = try await journal.run(id: approval.run)
        let event = EventRecord(
            id: ambient.identifier("evt"), namespace: approval.namespace, source: "perigee:approvals",
            sourceID: "\(approval.id)/\(number)", type: "approval.reminder", data: JSON.object(data).bytes,
            at: now, correlationID: run?.correlationID, causationID: approval.run)
        let starts = registry.triggers.starts(for: event, ambient: ambient)
        let note = Annotation(
            ordinal: nil, at: now, kind: .note,
            text: "Reminder \(number) of \(count): nobody has decided yet.", step: approval.address)
        return Reminder(
            approval: approval.id, number: number,
            submission: Submission(namespace: approval.namespace, event: event, starts: starts),
            annotation: note)
    }

    private func tell(_ approval: ApprovalRecord, _ receipt: ReminderReceipt) {
        guard receipt.isNew else { return }
        if receipt.wakesRuns { dispatcher.poke() }
        activity.send(
            .reminded(
                run: approval.run, workflow: approval.workflow, step: approval.address.label,
                approval: approval.id, number: approval.remindersTold + 1))
        activity.send(.runChanged(id: approval.run))
    }
}
