import Hummingbird
import Perigee
import PerigeeJournal

/// `/v1/schedules`: what starts by itself, and when.
struct SchedulesRoutes {
    let host: WorkflowHost

    var routes: [Route] {
        [
            Route(.get, "/v1/schedules") { _, _ in
                Response(json: ["items": .array(try await host.schedules().map(\.json))])
            }
        ]
    }
}

extension ScheduleInfo {
    /// The schedule as the API gives it.
    ///
    /// Every field is always there, `null` where it has no value; times are in the schedule's zone.
    var json: JSON {
        [
            "id": .string(id), "workflow": .string(workflow), "cron": JSON(cron), "every": JSON(every),
            "tz": .string(timeZone), "sentence": .string(sentence), "overlap": .string(overlap),
            "catch_up": .string(catchUp), "jitter_milliseconds": .int(jitterMilliseconds),
            "next": .array(next.map { .string($0) }), "last_scheduled_for": JSON(lastStarted),
            "pending": .array(pending.map { .string($0) }), "open_runs": .array(openRuns.map { .string($0) }),
            "note": JSON(note),
        ]
    }
}
