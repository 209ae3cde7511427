import ArgumentParser
import PerigeeJournal

struct RunsCancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Cancel a run: its script unwinds.",
        discussion: """
            Examples:
              perigee runs cancel @last
              perigee runs cancel run_01J9ZK --reason "sent by mistake"
              perigee runs cancel -q 'workflow:lead_routing status:waiting' --dry-run

            Asked a second time, a run ends at once.
            """)

    @OptionGroup var options: BulkOptions

    func run() async throws { try await options.act("cancel") }
}

struct RunsTerminate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "terminate", abstract: "End a run at once, without asking its script.",
        discussion: """
            Examples:
              perigee runs terminate @last --reason "it hangs"
            """)

    @OptionGroup var options: BulkOptions

    func run() async throws { try await options.act("terminate") }
}

struct RunsPause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Let nothing more begin in a run until it is resumed.",
        discussion: """
            Examples:
              perigee runs pause @last
              perigee runs pause -q workflow:lead_routing --yes --reason "the CRM is down"
            """)

    @OptionGroup var options: BulkOptions

    func run() async throws { try await options.act("pause") }
}

struct RunsResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Let a paused run go on.",
        discussion: """
            Examples:
              perigee runs resume @last
              perigee runs resume -q 'status:paused workflow:lead_routing' --yes --at-once 10
            """)

    @OptionGroup var options: BulkOptions

    func run() async throws { try await options.act("resume") }
}

struct RunsRetry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Go on with a run where it stopped.",
        discussion: """
            Examples:
              perigee runs retry @last --dry-run
              perigee runs retry run_01J9ZK --version newest --reason "script corrected"
              perigee runs retry -q 'status:attention error:PG2014' --yes --at-once 10

            What was done is not done again, but for the steps that failed; --dry-run names their calls.
            """)

    @Option(help: "same, or newest for a run that a corrected script goes on with.")
    var version: String = "same"

    @OptionGroup var options: BulkOptions

    func run() async throws { try await options.act("retry", ["version": .string(version)]) }
}

/// Which step of a run is meant.
struct StepOptions: ParsableArguments {
    @Option(help: "The step's branch, where its label stands in several.")
    var path: String?

    @Option(help: "Which use of the label in its branch, from 1.")
    var occurrence: Int?

    func fields(_ label: String?) -> [String: JSON] {
        var fields: [String: JSON] = [:]
        if let label { fields["step"] = .string(label) }
        if let path { fields["path"] = .string(path) }
        if let occurrence { fields["occurrence"] = .int(Int64(occurrence)) }
        return fields
    }
}

struct RunsFork: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fork", abstract: "Start a new run that begins with what another one did.",
        discussion: """
            Examples:
              perigee runs fork @last --dry-run
              perigee runs fork run_01J9ZK --from "Create quote"
              perigee runs fork run_01J9ZK --version newest --input id=7 --reason "wrong amount"

            The old run stays as it is. Without --from everything is done again.
            """)

    @Argument(help: "The run's id or its beginning, or @last.")
    var run: String

    @Option(help: "The label of the step from which on everything is done again.")
    var from: String?

    @Option(help: "same, newest, or a version's number.")
    var version: String = "same"

    @Option(
        parsing: .upToNextOption, help: "Another input: k=v, k:=7, JSON, @file.json, or - for standard input."
    )
    var input: [String] = []

    @Option(help: "The business key of the new run.")
    var key: String?

    @OptionGroup var step: StepOptions
    @OptionGroup var actor: ActorOptions

    func run() async throws {
        var fields = step.fields(from)
        fields["version"] = Int64(version).map { .int($0) } ?? .string(version)
        if !input.isEmpty { fields["input"] = try InputText.json(input) }
        if let key { fields["key"] = .string(key) }
        try await actor.act(on: run, "fork", fields)
    }
}

struct RunsSkip: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "skip", abstract: "Pass over a step: its result is nil.",
        discussion: """
            Examples:
              perigee runs skip @last "Tell sales" --reason "they know"
            """)

    @Argument(help: "The run's id or its beginning, or @last.")
    var run: String

    @Argument(help: "The step's label; not needed where only one can be meant.")
    var step: String?

    @OptionGroup var place: StepOptions
    @OptionGroup var actor: ActorOptions

    func run() async throws { try await actor.act(on: run, "skipStep", place.fields(step)) }
}

struct RunsSetResult: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set-result", abstract: "Give a step its result by hand.",
        discussion: """
            Examples:
              perigee runs set-result @last "Create quote" --result '{"json":{"id":7}}' --reason "made by phone"

            A step that failed, that waits, or that is being tried again takes a result.
            """)

    @Argument(help: "The run's id or its beginning, or @last.")
    var run: String

    @Argument(help: "The step's label; not needed where only one can be meant.")
    var step: String?

    @Option(help: "The result as JSON.")
    var result: String

    @OptionGroup var place: StepOptions
    @OptionGroup var actor: ActorOptions

    func run() async throws {
        var fields = place.fields(step)
        do { fields["result"] = try JSON(parsing: result.utf8) } catch {
            throw CommandFailure.usage("--result is not JSON: \(error).", hint: "Write text as '\"text\"'.")
        }
        try await actor.act(on: run, "setResult", fields)
    }
}

struct RunsRetryNow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry-now", abstract: "Make the next attempt of a call at once.",
        discussion: """
            Examples:
              perigee runs retry-now @last --yes
            """)

    @Argument(help: "The run's id or its beginning, or @last.")
    var run: String

    @Argument(help: "The step's label; not needed where only one can be meant.")
    var step: String?

    @OptionGroup var place: StepOptions
    @OptionGroup var actor: ActorOptions

    func run() async throws { try await actor.act(on: run, "retryNow", place.fields(step)) }
}
