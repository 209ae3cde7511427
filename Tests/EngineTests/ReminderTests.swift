import Foundation
import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("A reminder", .timeLimit(.minutes(5)))
struct ReminderTests {
    private static let notify = """
        return workflow { on = { event = "approval.reminder" }, run = function(reminder)
          return { reminder.label, reminder.number, reminder.of, reminder.to, reminder.due_at or "never", flow.run.correlation_id }
        end }
        """

    private func scripts(_ options: String) -> [String: String] {
        [
            "ask.lua": script("return ask.approval(\"OK?\", { \(options) }).outcome"),
            "notify.lua": ReminderTests.notify,
        ]
    }

    /// The next that is told, with what it started.
    private func next(_ activity: AsyncStream<HostActivity>) async throws -> (approval: String, number: Int) {
        for await change in activity {
            if case .reminded(_, _, _, let approval, let number) = change { return (approval, number) }
        }
        throw CancellationError()
    }

    private func told(_ test: TestHost, count: Int) async throws -> [JSON?] {
        var results: [JSON?] = []
        let runs = try await test.host.runs(RunQuery(namespace: "default", workflows: ["notify"], limit: 50))
            .runs
        #expect(runs.count == count)
        for run in runs.reversed() { results.append(try await test.end(run.id).result) }
        return results
    }

    @Test("is an event at its time, which a workflow passes on", arguments: Setting.all)
    func times(_ setting: Setting) async throws {
        let test = try TestHost(
            setting,
            scripts: scripts("to = \"boss\", remind = { \"20h\", \"8h\", \"24h\" }, timeout = \"24h\""))
        try await test.run { test in
            let activity = test.host.activity()
            let run = try await test.begin("ask")
            let waiting = try await test.run(run.id, reaches: .waiting)
            let id = try #require(waiting.waits.first?.id)
            #expect(try await test.host.approval(id: id).request.remindAt.count == 2)
            test.clock.advance(milliseconds: 8 * 3_600_000)
            #expect(try await next(activity) == (id, 1))
            test.clock.advance(milliseconds: 12 * 3_600_000)
            #expect(try await next(activity) == (id, 2))
            let approval = try await test.host.approval(id: id)
            #expect(approval.remindersTold == 2 && approval.nextReminderAt == nil)
            let due = "2026-09-22T14:13:20.000Z"
            #expect(
                try await told(test, count: 2) == [
                    ["OK?", 1, 2, ["boss"], .string(due), .string(run.correlationID)],
                    ["OK?", 2, 2, ["boss"], .string(due), .string(run.correlationID)],
                ])
            let notes = try await test.host.history(run: run.id).annotations.filter {
                $0.step?.label == "OK?"
            }
            #expect(notes.map(\.text).allSatisfy { $0.hasPrefix("Reminder ") } && notes.count == 2)
            test.clock.advance(milliseconds: 4 * 3_600_000)
            #expect(try await test.end(run.id).result == "timeout")
            _ = try await told(test, count: 2)
        }
    }

    @Test("comes in office hours where the question has them")
    func hours() async throws {
        let test = try TestHost(
            scripts: scripts("remind = \"8h\", hours = \"Mon-Fri 09:00-18:00 Europe/London\""))
        try await test.run { test in
            let run = try await test.run(try await test.begin("ask").id, reaches: .waiting)
            let approval = try await test.host.approval(id: try #require(run.waits.first?.id))
            // Asked on a Monday at 15:13:20 in London: 2 h 46 min 40 s are left of that day.
            #expect(approval.nextReminderAt?.description == "2026-09-22T13:13:20.000Z")
            #expect(approval.dueAt == nil)
        }
    }

    @Test("that came due while no host worked is told once by the next one", arguments: [false, true])
    func restart(isSQLite: Bool) async throws {
        let setting = Setting(isSQLite: isSQLite, alwaysEvict: false)
        let first = try TestHost(setting, scripts: scripts("remind = { \"1h\", \"2h\", \"9h\" }"))
        var run = ""
        try await first.start()
        run = try await first.begin("ask").id
        _ = try await first.run(run, reaches: .waiting)
        try await first.stop()
        first.clock.advance(milliseconds: 3 * 3_600_000)
        // A journal in memory is the store that outlives its host here.
        let journal = isSQLite ? nil : first.journal
        let second = try TestHost(
            setting, scripts: [:], clock: first.clock, journal: journal, folder: first.folder)
        try await second.start()
        let activity = second.host.activity()
        let waiting = try await second.run(run, reaches: .waiting)
        let id = try #require(waiting.waits.first?.id)
        while try await second.host.approval(id: id).remindersTold < 2 { _ = try await next(activity) }
        #expect(try await told(second, count: 2).map { $0?.array?[1] } == [1, 2])
        try await second.stop()
        let third = try TestHost(
            setting, scripts: [:], clock: first.clock, journal: journal, folder: first.folder)
        try await third.run { third in
            let activity = third.host.activity()
            third.clock.advance(milliseconds: 6 * 3_600_000)
            let last = try await next(activity)
            #expect(last == (id, 3))
            let numbers = try await told(third, count: 3).map { $0?.array?[1] }
            #expect(numbers == [1, 2, 3])
        }
    }

    @Test("is not told of what is decided or over")
    func over() async throws {
        let test = try TestHost(scripts: scripts("remind = { \"2h\" }, timeout = input.timeout"))
        try await test.run { test in
            let activity = test.host.activity()
            let decided = try await test.run(
                try await test.begin("ask", ["timeout": "9h"]).id, reaches: .waiting)
            let expired = try await test.run(
                try await test.begin("ask", ["timeout": "1h"]).id, reaches: .waiting)
            let reminded = try await test.run(
                try await test.begin("ask", ["timeout": "9h"]).id, reaches: .waiting)
            _ = try await test.host.decide(
                approval: try #require(decided.waits.first?.id), outcome: "approve", by: "ana")
            test.clock.advance(milliseconds: 2 * 3_600_000)
            #expect(try await next(activity).approval == reminded.waits.first?.id)
            #expect(try await test.end(expired.id).result == "timeout")
            _ = try await told(test, count: 1)
        }
    }
}
