import ArgumentParser
import Foundation
import PerigeeJournal

struct BatchesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batches", abstract: "List what is done to many runs, and steer it.",
        discussion: """
            Examples:
              perigee batches list
              perigee batches show bat_01J9ZK
              perigee batches pause bat_01J9ZK --reason "the CRM is slow"

            A batch is made by an action with a search: perigee runs retry -q status:attention --yes
            """,
        subcommands: [
            BatchesList.self, BatchesShow.self, BatchesPause.self, BatchesResume.self, BatchesAbort.self,
        ])
}

struct BatchesList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List batches, newest first.",
        discussion: """
            Examples:
              perigee batches list -o jsonl
            """)

    @Option(help: "At most this many, 1 to 500.")
    var limit = 50

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let page = try await server.client().get("/v1/batches", [("limit", String(limit))])
        Listing(columns: BatchText.columns, format: output.format).write(
            page, empty: "Nothing was done to many runs yet.")
    }
}

struct BatchesShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a batch and what became of each run.",
        discussion: """
            Examples:
              perigee batches show bat_01J9ZK
              perigee batches show bat_01J9ZK --state refused -o jsonl
            """)

    @Argument(help: "The batch's id.")
    var batch: String

    @Option(help: "Only the runs that are pending, done or refused.")
    var state: String?

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try server.client()
        let path = "/v1/batches/\(APIClient.encoded(batch))"
        if state == nil, output.format == .table {
            let found = try await client.get(path)
            Listing(columns: BatchText.columns, format: .table).write(item: found, lines: BatchText.lines)
        }
        let items = try await client.get("\(path)/items", [("state", state), ("limit", "500")])
        let columns = [
            Column("RUN", field: "run"), Column("STATE", field: "state"), Column("AT", field: "at"),
            Column("WHY") { $0["error"]?["message"].text ?? "" },
        ]
        Listing(columns: columns, format: output.format).write(items, empty: "It has no such runs.")
    }
}

/// What every command that steers a batch takes.
struct SteeringOptions: ParsableArguments {
    @Argument(help: "The batch's id.")
    var batch: String

    @Option(help: "Why, for those who look at it later.")
    var reason: String?

    @Option(help: "Who does it. (default: the name of this user)")
    var by: String?

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func steer(_ action: String) async throws {
        var body: [String: JSON] = ["by": .string(by ?? NSUserName())]
        if let reason { body["reason"] = .string(reason) }
        let steered = try await server.client().post(
            "/v1/batches/\(APIClient.encoded(batch)):\(action)", .object(body))
        Listing(columns: BatchText.columns, format: output.format).write(
            item: steered, lines: BatchText.lines)
    }
}

struct BatchesPause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Act on no more runs until the batch is resumed.")

    @OptionGroup var options: SteeringOptions

    func run() async throws { try await options.steer("pause") }
}

struct BatchesResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Let a paused batch go on.")

    @OptionGroup var options: SteeringOptions

    func run() async throws { try await options.steer("resume") }
}

struct BatchesAbort: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "abort", abstract: "End a batch; what it did stays done.")

    @OptionGroup var options: SteeringOptions

    func run() async throws { try await options.steer("abort") }
}

/// How commands show batches.
enum BatchText {
    static let columns = [
        Column("BATCH", field: "id"), Column("ACTION", field: "action"), Column("SEARCH", field: "q"),
        Column("STATUS", field: "status"), Column("DONE", field: "done"), Column("REFUSED", field: "refused"),
        Column("TOTAL", field: "total"), Column("CREATED", field: "created_at"),
    ]

    static func lines(_ batch: JSON) -> [(name: String, value: String)] {
        [
            (name: "batch", value: batch["id"].text), (name: "action", value: batch["action"].text),
            (name: "search", value: batch["q"].text), (name: "status", value: batch["status"].text),
            (
                name: "runs",
                value: "\(batch["done"].text) done, \(batch["refused"].text) refused, "
                    + "\(batch["pending"].text) pending"
            ),
            (name: "by", value: batch["by"].text), (name: "reason", value: batch["reason"].text),
        ]
    }

    /// What a batch would do: how many runs, and a few of them.
    static func preview(_ preview: JSON, _ action: String) -> String {
        let count = preview["count"]?.int ?? 0
        let samples = preview["samples"]?.array ?? []
        var lines = ["\(action) would act on \(count) \(count == 1 ? "run" : "runs")\(count > 0 ? ":" : ".")"]
        for sample in samples {
            let name = [sample["workflow"].text, sample["key"].text].filter { !$0.isEmpty }
            lines.append("  \(sample["run"].text)  \(name.joined(separator: " "))  \(sample["status"].text)")
            if let refused = sample["refused"]?.string { lines.append("    not possible: \(refused)") }
            for call in sample["sends_again"]?.array ?? [] {
                lines.append("    sends again: \(call["label"].text)  \(call["target"].text)")
            }
        }
        if count > samples.count { lines.append("  and \(Int(count) - samples.count) more") }
        return lines.map(\.printable).joined(separator: "\n")
    }
}
