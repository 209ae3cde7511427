import ArgumentParser
import PerigeeJournal

/// Why a command could not do what it was asked, with the exit code that tells scripts so.
struct CommandFailure: ExplainedError {
    let code: String
    let message: String
    let hint: String
    var exitCode = ExitCode.failure
    /// Every fault of an input, one line each.
    var faults: [String] = []

    /// What people read: the message, the faults, then the next step with the code, and where more is told.
    var report: String {
        // Who mistypes a command needs the hint alone.
        let more = exitCode == .usage ? "" : explainCommand(code)
        let lines =
            ["error: \(message)"] + faults.map { "  \($0)" } + ["  \(hint) [\(code)]"]
            + (more.isEmpty ? [] : ["  \(more)"])
        return lines.map(\.printable).joined(separator: "\n")
    }
}

extension CommandFailure {
    init(_ error: any ExplainedError) {
        self.init(code: error.code, message: error.message, hint: error.hint)
    }

    /// Something on the command line that can't be understood.
    static func usage(_ message: String, hint: String) -> CommandFailure {
        CommandFailure(code: "PG5000", message: message, hint: hint, exitCode: .usage)
    }

    static func noScripts(_ folder: String) -> CommandFailure {
        CommandFailure(
            code: "PG1017", message: "There is no scripts folder \(folder).",
            hint: "Create it and put a .lua file into it, or name another folder.")
    }

    static func unreachable(_ server: String, reason: String) -> CommandFailure {
        CommandFailure(
            code: "PG5001", message: "The server at \(server) can't be reached: \(reason).",
            hint: "Is it running? Start it with `perigee serve`, or name another with --server.",
            exitCode: .unreachable)
    }

    static func noAnswer(_ server: String, seconds: Int) -> CommandFailure {
        CommandFailure(
            code: "PG5002", message: "The server at \(server) did not answer within \(seconds) s.",
            hint: "What was asked may have been done all the same: look before you ask again.",
            exitCode: .unreachable)
    }

    static func notPerigee(_ server: String, status: Int) -> CommandFailure {
        CommandFailure(
            code: "PG5003",
            message: "\(server) answered with status \(status) and no reason that can be read.",
            hint: "Check that --server is the address of a Perigee server.")
    }

    static func notFound(_ what: String, _ id: String, hint: String) -> CommandFailure {
        CommandFailure(
            code: "PG5004", message: "There is no \(what) \"\(id)\".", hint: hint, exitCode: .notFound)
    }

    static func ambiguous(_ what: String, _ id: String, _ found: [String]) -> CommandFailure {
        let shown = found.prefix(5).joined(separator: ", ") + (found.count > 5 ? " …" : "")
        return CommandFailure(
            code: "PG5005", message: "\"\(id)\" may be \(found.count) different \(what)s: \(shown).",
            hint: "Give more of the id.", exitCode: .usage)
    }
}
