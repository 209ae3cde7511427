import ArgumentParser
import Foundation
import PerigeeJournal

/// Who acts, and why.
struct ActorOptions: ParsableArguments {
    @Option(help: "Why, for those who look at it later.")
    var reason: String?

    @Option(help: "Who does it. (default: the name of this user)")
    var by: String?

    @Flag(help: "Say what would be done and which calls would be sent again, and do nothing.")
    var dryRun = false

    @Flag(help: "Do it without asking.")
    var yes = false

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    /// The body that every action has.
    var fields: [String: JSON] {
        var fields: [String: JSON] = ["by": .string(by ?? NSUserName())]
        if let reason { fields["reason"] = .string(reason) }
        return fields
    }

    /// Acts on one run: first shows the calls that it would send again, and asks.
    ///
    /// - Parameter action: what stands after the colon of the address.
    func act(on run: String, _ action: String, _ more: [String: JSON] = [:]) async throws {
        let client = try server.client()
        let id = try await client.run(run)["id"].text
        let path = "/v1/runs/\(APIClient.encoded(id)):\(action)"
        let body = JSON.object(fields.merging(more) { $1 })
        let preview = try await client.post("\(path)?dry_run=true", body)
        let calls = preview["sends_again"]?.array ?? []
        if dryRun {
            guard output.format == .table else { return print(preview.text) }
            return print(ResentCalls.text(calls))
        }
        if !calls.isEmpty {
            standardError(ResentCalls.text(calls))
            try confirm("Send \(calls.count == 1 ? "it" : "them") again?")
        }
        Listing(columns: RunColumns.all, format: output.format).write(
            item: try await client.post(path, body), lines: RunColumns.lines)
    }

    /// - Throws: `PG5030` unless it was agreed to.
    func confirm(_ question: String) throws(CommandFailure) {
        if yes { return }
        guard Terminal.inputIsTTY else { throw .notConfirmed }
        FileHandle.standardError.write(Data("\(question) [y/N] ".utf8))
        guard ["y", "yes"].contains((readLine() ?? "").lowercased()) else { throw .notConfirmed }
    }
}

/// The calls that an action sends again, for people.
enum ResentCalls {
    static func text(_ calls: [JSON]) -> String {
        guard !calls.isEmpty else { return "No call would be sent again." }
        let lines = calls.map { call in
            let known = call["state"].text == "completed" ? "ended" : "tried"
            return "  \(call["label"].text)  \(call["target"].text)  \(known) \(call["at"].text)".printable
        }
        let many = calls.count == 1 ? "1 call" : "\(calls.count) calls"
        return (["\(many) would be sent again:"] + lines).joined(separator: "\n")
    }
}

/// An action on one run, or on all that a search finds.
struct BulkOptions: ParsableArguments {
    @Argument(help: "The run's id or its beginning, or @last.")
    var run: String?

    @Option(
        name: [.customShort("q"), .long],
        help: "All runs that a search finds: status:attention workflow:ID key:KEY error:CODE.")
    var query: String?

    @Option(help: "With -q: at most this many of the runs are at work at once.")
    var atOnce: Int?

    @Option(help: "With -q: at most this many runs in a minute.")
    var perMinute: Int?

    @OptionGroup var actor: ActorOptions

    func act(_ action: String, _ more: [String: JSON] = [:]) async throws {
        switch (run, query) {
        case (let run?, nil): try await actor.act(on: run, action, more)
        case (nil, let query?): try await actAll(action, query, more)
        default:
            throw CommandFailure.usage(
                "Name one run, or a search with -q.", hint: "For example: perigee runs \(action) @last")
        }
    }

    private func actAll(_ action: String, _ query: String, _ more: [String: JSON]) async throws {
        let client = try actor.server.client()
        var fields = actor.fields.merging(more) { $1 }
        fields["action"] = .string(action)
        fields["q"] = .string(query)
        fields["at_once"] = atOnce.map { .int(Int64($0)) }
        fields["per_minute"] = perMinute.map { .int(Int64($0)) }
        let preview = try await client.post("/v1/batches?dry_run=true", .object(fields))
        if actor.dryRun {
            guard actor.output.format == .table else { return print(preview.text) }
            return print(BatchText.preview(preview, action))
        }
        standardError(BatchText.preview(preview, action))
        let count = preview["count"]?.int ?? 0
        guard count > 0 else { return }
        try actor.confirm("\(action.capitalized) \(count == 1 ? "this run" : "these \(count) runs")?")
        let batch = try await client.post("/v1/batches", .object(fields))
        Listing(columns: BatchText.columns, format: actor.output.format).write(
            item: batch, lines: BatchText.lines)
    }
}

extension CommandFailure {
    fileprivate static let notConfirmed = CommandFailure(
        code: "PG5030", message: "Nothing was done, because nobody agreed to it.",
        hint: "Look at what would be done with --dry-run, then add --yes.", exitCode: .usage)
}
