import ArgumentParser
import PerigeeJournal

struct SchedulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedules", abstract: "List what starts by itself, and when.",
        discussion: """
            Examples:
              perigee schedules list
              perigee schedules list -o json
            """,
        subcommands: [SchedulesList.self], aliases: ["schedule"])
}

struct SchedulesList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List schedules with their next times, in each one's own time zone.",
        discussion: """
            Examples:
              perigee schedules list
              perigee schedules list -o jsonl
            """)

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let columns = [
            Column("SCHEDULE", field: "id"), Column("WORKFLOW", field: "workflow"),
            Column("WHEN", field: "sentence"), Column("NEXT") { $0["next"]?.array?.first.text ?? "" },
            Column("LAST", field: "last_scheduled_for"), Column("OVERLAP", field: "overlap"),
            Column("CATCH-UP", field: "catch_up"), Column("PENDING") { pending($0) },
            Column("NOTE", field: "note"),
        ]
        Listing(columns: columns, format: output.format).write(
            try await server.client().get("/v1/schedules", []), empty: "No workflow has a schedule.")
    }
}

/// How many occurrences wait; nothing where none does.
@Sendable private func pending(_ schedule: JSON) -> String {
    let count = schedule["pending"]?.array?.count ?? 0
    return count == 0 ? "" : String(count)
}
