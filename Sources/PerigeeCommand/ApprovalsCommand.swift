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
              perigee approvals decide apr_3f counter --form counter=15
              perigee approvals decide apr_9k retry --data @repaired.json

            An id may be cut short as long as it is unique; @last is the one that was asked last.
            """,
        subcommands: [
            ApprovalsList.self, ApprovalsShow.self, ApprovalsApprove.self, ApprovalsReject.self,
            ApprovalsDecide.self,
        ],
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
              perigee approvals list --kind park
            """)

    @Option(help: "waiting, decided, expired, cancelled, or all.")
    var status = "waiting"

    @Option(help: "approval, form or park (data that waits to be repaired); all of them if it is left out.")
    var kind: String?

    @Option(help: "At most this many, 1 to 500.")
    var limit = 100

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.client().get(
            "/v1/approvals",
            [("status", status == "all" ? nil : status), ("kind", kind), ("limit", String(limit))])
        Listing(columns: ApprovalsCommand.columns, format: output.format).write(
            answer, empty: "Nobody is asked anything.")
    }
}

struct ApprovalsShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show an approval with its form, or data that was parked.",
        discussion: """
            Examples:
              perigee approvals show @last
              perigee approvals show apr_9k -o json
            """)

    @Argument(help: "The approval's id or its beginning, or @last.")
    var approval: String

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try server.client()
        let id = try await client.approval(approval)["id"].text
        let found = try await client.get("/v1/approvals/\(APIClient.encoded(id))")
        Listing(columns: ApprovalsCommand.columns, format: output.format).write(item: found, lines: lines)
    }

    private func lines(_ approval: JSON) -> [(name: String, value: String)] {
        let fixed = [
            "id", "label", "workflow", "run", "kind", "status", "due_at", "remind_at", "hours", "reason",
        ]
        .map { (name: $0, value: approval[$0].text) }
        let lists = ["to", "not_by", "choices", "comment_required_on"].map { name in
            (name: name, value: (approval[name]?.array ?? []).compactMap(\.string).joined(separator: ", "))
        }
        let rows = (approval["show"]?.array ?? []).map { row in
            (name: row["name"].text, value: row["value"].text)
        }
        let fields = (approval["form"]?.array ?? []).map { field in
            let type = field["one_of"]?.array.map { $0.compactMap(\.string).joined(separator: "|") }
            return (
                name: "--form \(field["name"].text)=",
                value: "\(field["title"].text) (\(type ?? field["type"]?.string ?? "string"))"
            )
        }
        let decision = approval["decision"].map { decision in
            decisionText(
                outcome: decision["outcome"].text, by: decision["by"].text,
                comment: decision["comment"]?.string)
        }
        let data = approval["data"].flatMap { $0 == .null ? nil : $0.text }
        return fixed + lists + rows + fields + [(name: "data", value: data ?? "")]
            + [(name: "decision", value: approval["decision"] == .null ? "" : decision ?? "")]
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

    @Option(help: "A field of its form, k=v; again for each field.")
    var form: [String] = []

    @Option(help: "Repaired data: @file.json, - for standard input, or JSON text.")
    var data: String?

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func decide(_ outcome: String) async throws {
        let client = try server.client()
        let id = try await client.approval(approval)["id"].text
        var body: [String: JSON] = ["outcome": .string(outcome), "by": .string(by ?? NSUserName())]
        body["via"] = "cli"
        if let comment { body["comment"] = .string(comment) }
        if !form.isEmpty { body["form"] = try InputText.json(form) }
        if let data { body["data"] = try InputText.json([data]) }
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
              perigee approvals decide @last counter --form counter=10 --comment "10 % at most"
              perigee approvals decide apr_9k retry --data @repaired.json
              perigee approvals decide apr_9k discard
            """)

    @OptionGroup var decision: DecisionOptions

    @Argument(help: "One of the approval's choices.")
    var outcome: String

    func run() async throws { try await decision.decide(outcome) }
}
