import ArgumentParser
import PerigeeJournal

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "See who did what, when and why.",
        discussion: """
            Examples:
              perigee audit list
              perigee audit list --run @last -o json
            """,
        subcommands: [AuditList.self])
}

struct AuditList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List what people did, newest first.",
        discussion: """
            Examples:
              perigee audit list --run run_01J9ZK
              perigee audit list --limit 500 -o jsonl
            """)

    @Option(help: "Only what was done to this run: its id or its beginning, or @last.")
    var run: String?

    @Option(help: "At most this many, 1 to 500.")
    var limit = 50

    @Option(help: "Where the page begins, as the page before said.")
    var cursor: String?

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    private static let columns = [
        Column("AT", field: "at"), Column("BY", field: "by"), Column("ACTION", field: "action"),
        Column("ON") { record in
            ["run", "approval", "batch", "secret"].map { record[$0].text }.first { !$0.isEmpty } ?? ""
        },
        Column("STEP", field: "step"), Column("BEFORE") { $0["before"]?["status"].text ?? "" },
        Column("AFTER") { $0["after"]?["status"].text ?? "" }, Column("REASON", field: "reason"),
    ]

    func run() async throws {
        let client = try server.client()
        var id: String?
        if let run { id = try await client.run(run)["id"].text }
        let page = try await client.get(
            "/v1/audit", [("run", id), ("limit", String(limit)), ("cursor", cursor)])
        Listing(columns: AuditList.columns, format: output.format).write(page, empty: "Nothing was done yet.")
        if let next = page["next_cursor"]?.string, output.format != .json {
            standardError("There are more: --cursor \(next)")
        }
    }
}
