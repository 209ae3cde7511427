import ArgumentParser
import PerigeeJournal

struct RunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs", abstract: "List and show runs, and act on them.",
        discussion: """
            Examples:
              perigee runs list -q 'status:failed,attention workflow:lead_routing'
              perigee runs show @last
              perigee runs cancel run_01J9ZK --reason "sent by mistake"
              perigee runs retry -q 'status:attention error:PG2014' --dry-run

            An id may be cut short as long as it is unique; @last is the newest run.
            """,
        subcommands: [
            RunsList.self, RunsShow.self, RunsHistory.self, RunsCancel.self, RunsTerminate.self,
            RunsPause.self, RunsResume.self, RunsRetry.self, RunsFork.self, RunsSkip.self,
            RunsSetResult.self, RunsRetryNow.self,
        ])
}

struct RunsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List runs, newest first.",
        discussion: """
            Examples:
              perigee runs list
              perigee runs list -q status:waiting --limit 10
              perigee runs list -o jsonl
            """)

    @Option(
        name: [.customShort("q"), .long],
        help: "A search: status:failed,attention workflow:ID key:KEY error:CODE, or an id.")
    var query: String?

    @Option(help: "At most this many, 1 to 500.")
    var limit = 50

    @Option(help: "Where the page begins, as the page before said.")
    var cursor: String?

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let page = try await server.client().get(
            "/v1/runs", [("q", query), ("limit", String(limit)), ("cursor", cursor)])
        Listing(columns: RunColumns.all, format: output.format).write(page, empty: "There are no such runs.")
        if let next = page["next_cursor"]?.string, output.format != .json {
            standardError("There are more: --cursor \(next)")
        }
    }
}

struct RunsShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a run.",
        discussion: """
            Examples:
              perigee runs show @last
              perigee runs show run_01J9ZK -o json
            """)

    @Argument(help: "The run's id or its beginning, or @last.")
    var run: String

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let found = try await server.client().run(run)
        Listing(columns: RunColumns.all, format: output.format).write(item: found, lines: RunColumns.lines)
    }
}

struct RunsHistory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show everything that is recorded of a run.",
        discussion: """
            Examples:
              perigee runs history @last
              perigee runs history run_01J9ZK -o jsonl
            """)

    @Argument(help: "The run's id or its beginning, or @last.")
    var run: String

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try server.client()
        let id = try await client.run(run)["id"].text
        let history = try await client.get("/v1/runs/\(APIClient.encoded(id))/history")
        let columns = [
            Column("AT", field: "at"), Column("WHAT", field: "type"), Column("STEP", field: "label"),
            Column("VERB", field: "verb"), Column("RESULT", HistoryText.result),
        ]
        Listing(columns: columns, format: output.format).write(
            history, empty: "Nothing is recorded of it yet.")
    }
}

/// What came of an item of a history, in a few words.
private enum HistoryText {
    static let longest = 100

    @Sendable static func result(_ item: JSON) -> String {
        switch item["type"].text {
        case "step":
            if let error = item["error"] { return cut("failed: " + (error["message"]?.string ?? error.text)) }
            guard let status = item["reply"]?["status"]?.int, item["verb"].text.hasPrefix("http.") else {
                return cut(item["reply"].text)
            }
            return "\(status)" + (item["attempts"]?.int.map { $0 > 1 ? ", attempt \($0)" : "" } ?? "")
        case "wait": return item["attempts"]?.int.map { "waits after \($0) attempts" } ?? "waits"
        case "begun": return "begins, at most once"
        case "moved": return "v\(item["from"].text) → v\(item["to"].text)"
        default: return cut(item["text"].text)
        }
    }

    private static func cut(_ text: String) -> String {
        text.count > longest ? text.prefix(longest - 1) + "…" : text
    }
}
