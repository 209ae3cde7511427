import ArgumentParser
import PerigeeJournal

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Start a workflow.",
        discussion: """
            Examples:
              perigee run hello_approval --input id=42
              perigee run lead_routing --input @lead.json --key lead:7 --wait
              perigee run nightly --wait=5m -o json

            k=v is text, k:=7 a number or other JSON. With --wait it exits with 0 if the run completed, 1 if it ended
            otherwise or needs attention, and 7 if the time ran out; then the run goes on.
            """)

    @Argument(help: "The workflow's id: its file's name without .lua.")
    var workflow: String

    @Option(
        parsing: .upToNextOption, help: "@file.json, - for standard input, '{…}', or k=v and k:=JSON words.")
    var input: [String] = []

    @Option(help: "The business key: a run that has it already is taken instead of a new one.")
    var key: String?

    @Option(help: ArgumentHelp("Wait for the run's end; --wait alone waits for 30s.", valueName: "time"))
    var wait: WaitTime?

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try server.client()
        var body: [String: JSON] = ["input": try InputText.json(input)]
        if let key { body["key"] = .string(key) }
        let clock = ContinuousClock()
        let deadline = clock.now + .milliseconds(wait?.milliseconds ?? 0)
        let seconds = wait.map { Int(min($0.milliseconds / 1000, 60)) } ?? 0
        var run = try await client.post(
            "/v1/workflows/\(APIClient.encoded(workflow))/runs", .object(body),
            headers: wait == nil ? [:] : ["Prefer": "wait=\(seconds)"], wait: seconds)
        // The server waits for a minute at most; beyond that it is asked again.
        while wait != nil, !RunEnd.isReached(run), clock.now < deadline {
            try await clock.sleep(for: min(.milliseconds(500), deadline - clock.now))
            run = try await client.get("/v1/runs/\(run["id"].text)")
        }
        Listing(columns: RunColumns.all, format: output.format).write(item: run, lines: RunColumns.lines)
        if wait != nil { try RunEnd.check(run, isShown: output.format == .table) }
    }
}

/// How long to wait for a run: a duration such as `30s`, a day at most.
struct WaitTime: ExpressibleByArgument {
    let milliseconds: Int64

    init?(argument: String) {
        guard let milliseconds = DurationText.milliseconds(in: argument), milliseconds <= 86_400_000 else {
            return nil
        }
        self.milliseconds = milliseconds
    }

    /// The arguments with a time behind every `--wait` that stands alone, which the parser knows no way to declare.
    static func completed(in arguments: [String]) -> [String] {
        let following = arguments.dropFirst().map(Optional.init) + [nil]
        return zip(arguments, following).map { argument, next in
            guard argument == "--wait", next.flatMap(WaitTime.init(argument:)) == nil else { return argument }
            return "--wait=30s"
        }
    }
}

/// What the status of a run that was waited for means to a script.
private enum RunEnd {
    static func isReached(_ run: JSON) -> Bool {
        run["status"].text == "attention" || run["ended_at"]?.string != nil
    }

    /// - Parameter isShown: whether people have seen its error already.
    /// - Throws: the exit code of a run that did not complete.
    static func check(_ run: JSON, isShown: Bool) throws {
        let id = run["id"].text
        guard isReached(run) else {
            let label = run["waiting_for"]?.string.map { " for \"\($0.oneLine)\"" } ?? ""
            standardError(
                "The time ran out; the run is \(run["status"].text)\(label) and goes on: perigee runs show \(id)"
            )
            throw ExitCode.waitRanOut
        }
        guard run["status"].text == "completed" else {
            if !isShown, let error = RunError(run["error"]) {
                standardError("error: \(error.summary.oneLine)")
                for line in [error.place] + error.excerpt + [error.hint, error.explanation]
                where !line.isEmpty {
                    standardError("  \(line.oneLine)")
                }
            }
            standardError("The run is \(run["status"].text): perigee runs history \(id)")
            throw ExitCode.failure
        }
    }
}
