import ArgumentParser
import Foundation
import PerigeeJournal

struct ApprovalsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approvals", abstract: "List and decide what people are asked.",
        discussion: """
            Examples:
              perigee approvals list
              perigee approvals approve @last --comment "looks good"
              perigee approvals decide apr_3f counter

            An id may be cut short as long as it is unique; @last is the one that was asked last.
            """,
        subcommands: [ApprovalsList.self, ApprovalsApprove.self, ApprovalsReject.self, ApprovalsDecide.self],
        aliases: ["approval"])

    fileprivate static let columns = [
        Column("APPROVAL", field: "id"), Column("WORKFLOW", field: "workflow"),
        Column("QUESTION", field: "label"),
        Column("SHOWS") { shown($0["show"]) }, Column("STATUS", field: "status"),
        Column("DUE", field: "due_at"),
    ]

    /// The first three rows that an approval shows.
    private static func shown(_ show: JSON?) -> String {
        let rows = (show?.array ?? []).prefix(3).map { row in
            "\(row["name"].text): \(row["value"].text)"
        }
        return rows.joined(separator: ", ")
    }
}

struct ApprovalsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List approvals, those that are due first first.",
        discussion: """
            Examples:
              perigee approvals list
              perigee approvals list --status decided -o json
            """)

    @Option(help: "waiting, decided, expired, cancelled, or all.")
    var status = "waiting"

    @Option(help: "At most this many, 1 to 500.")
    var limit = 100

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.client().get(
            "/v1/approvals", [("status", status == "all" ? nil : status), ("limit", String(limit))])
        Listing(columns: ApprovalsCommand.columns, format: output.format).write(
            answer, empty: "Nobody is asked anything.")
    }
}

/// What every command that decides takes.
struct DecisionOptions: ParsableArguments {
    @Argument(help: "The approval's id or its beginning, or @last.")
    var approval: String

    @Option(help: "Why, for those who look at it later.")
    var comment: String?

    @Option(help: "Who decides. (default: the name of this user)")
    var by: String?

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func decide(_ outcome: String) async throws {
        let client = try server.client()
        let id = try await client.approval(approval)["id"].text
        var body: [String: JSON] = ["outcome": .string(outcome), "by": .string(by ?? NSUserName())]
        if let comment { body["comment"] = .string(comment) }
        let decided = try await client.post("/v1/approvals/\(APIClient.encoded(id)):decide", .object(body))
        Listing(columns: ApprovalsCommand.columns, format: output.format).write(item: decided) { approval in
            let decision = approval["decision"]
            let text = decisionText(
                outcome: decision?["outcome"].text ?? outcome, by: decision?["by"].text ?? "",
                comment: decision?["comment"]?.string)
            return [
                (name: "approval", value: approval["id"].text),
                (name: "question", value: approval["label"].text),
                (name: "decision", value: text), (name: "run", value: approval["run"].text),
            ]
        }
    }
}

struct ApprovalsApprove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Approve.",
        discussion: """
            Examples:
              perigee approvals approve @last
              perigee approvals approve apr_3f --comment "looks good" --by ana@acme.example
            """)

    @OptionGroup var decision: DecisionOptions

    func run() async throws { try await decision.decide("approve") }
}

struct ApprovalsReject: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reject", abstract: "Reject.",
        discussion: """
            Examples:
              perigee approvals reject @last --comment "too expensive"
            """)

    @OptionGroup var decision: DecisionOptions

    func run() async throws { try await decision.decide("reject") }
}

struct ApprovalsDecide: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decide", abstract: "Decide for one of the choices.",
        discussion: """
            Examples:
              perigee approvals decide @last counter --comment "10 % at most"
            """)

    @OptionGroup var decision: DecisionOptions

    @Argument(help: "One of the approval's choices.")
    var outcome: String

    func run() async throws { try await decision.decide(outcome) }
}
