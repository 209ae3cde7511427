import ArgumentParser
import Foundation
import PerigeeJournal

/// The version of Perigee that this is.
let perigeeVersion = "0.1.0"

@main
struct PerigeeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perigee",
        abstract: "Durable workflows, written in Lua.",
        discussion: """
            Examples:
              perigee dev                            work on the scripts in ./scripts
              perigee send demo.requested --sample   tell it that something happened
              perigee serve --data perigee.db        run workflows for good

            Exit codes:
              0  ok
              1  the thing failed
              2  usage
              3  not found
              4  sign-in needed, or forbidden
              5  server unreachable
              6  conflict
              7  --wait ran out, the run goes on
            """,
        version: "perigee \(perigeeVersion)",
        subcommands: [
            DevCommand.self, ServeCommand.self, RunCommand.self, SendCommand.self, RunsCommand.self,
            ApprovalsCommand.self, SchedulesCommand.self, SecretsCommand.self, BatchesCommand.self,
            AuditCommand.self, DatabaseCommand.self,
            CheckCommand.self, DoctorCommand.self, ExplainCommand.self,
            VersionCommand.self,
        ])

    static func main() async {
        do {
            let arguments = Array(CommandLine.arguments.dropFirst())
            try checkName(of: arguments.first)
            var command = try parseAsRoot(WaitTime.completed(in: arguments))
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Foundation.exit(report(error))
        }
    }

    /// - Throws: ``CommandFailure`` for a command that there is not, with the one that was meant.
    private static func checkName(of argument: String?) throws(CommandFailure) {
        guard let name = argument, !name.hasPrefix("-") else { return }
        let known =
            configuration.subcommands.flatMap { [$0._commandName] + $0.configuration.aliases } + ["help"]
        guard !known.contains(name) else { return }
        // How many letters have to be removed or added to come from one to the other.
        let distances = known.map { (name: $0, distance: $0.difference(from: name).count) }
        let near = distances.min { $0.distance < $1.distance }.flatMap { $0.distance <= 3 ? $0.name : nil }
        throw .usage(
            "There is no command \"\(name)\".",
            hint: near.map { "Did you mean `perigee \($0)`?" } ?? "See `perigee --help`.")
    }

    /// Says what went wrong on the right stream.
    ///
    /// - Returns: the exit code that the command line documents for it.
    private static func report(_ error: any Error) -> Int32 {
        if let error = error as? any ExplainedError {
            let failure = error as? CommandFailure ?? CommandFailure(error)
            standardError(failure.report)
            return failure.exitCode.rawValue
        }
        let code = exitCode(for: error)
        let text = fullMessage(for: error)
        guard code != .success else {
            print(text)
            return code.rawValue
        }
        if !text.isEmpty { standardError(text) }
        return code == .validationFailure ? ExitCode.usage.rawValue : code.rawValue
    }
}

extension ExitCode {
    static let usage = ExitCode(2)
    static let notFound = ExitCode(3)
    static let forbidden = ExitCode(4)
    static let unreachable = ExitCode(5)
    static let conflict = ExitCode(6)
    static let waitRanOut = ExitCode(7)
}
