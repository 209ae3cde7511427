import ArgumentParser
import Foundation
import Perigee
import PerigeeJournal
import PerigeeLua
import PerigeeSQLite

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look whether everything is as it should be.",
        discussion: """
            Examples:
              perigee doctor
              perigee doctor --scripts flows --data /var/lib/perigee/perigee.db

            It changes nothing, and may be run while a host works. It reads the whole database; a host that starts does
            so only up to 128 MB. It exits with 1 if something needs a person.
            """)

    @Option(help: "The scripts folder. (default: $PERIGEE_SCRIPTS or scripts)")
    var scripts: String?

    @Option(help: "The database file. (default: $PERIGEE_DATA or perigee.db)")
    var data: String?

    func run() throws {
        let findings =
            [Finding.good("perigee \(perigeeVersion)"), lua(), sqlite(), folder(), database()] + unbound()
        let style = Style(isOn: Terminal.hasColour)
        for line in findings.flatMap({ $0.lines(style: style) }) { print(line) }
        let count = findings.count { $0.isProblem }
        guard count > 0 else { return }
        standardError("\(counted(count, "problem")) found")
        throw ExitCode.failure
    }

    /// What was looked at, and how it is.
    private struct Finding {
        var isProblem: Bool
        var text: String
        /// What is wrong, one sentence each, and then what to do.
        var details: [String] = []

        static func good(_ text: String) -> Finding { Finding(isProblem: false, text: text) }

        static func bad(_ text: String, _ details: [String]) -> Finding {
            Finding(isProblem: true, text: text, details: details)
        }

        static func bad(_ error: any ExplainedError) -> Finding {
            let more = explainCommand(error.code)
            return .bad("\(error.message) [\(error.code)]", [error.hint] + (more.isEmpty ? [] : [more]))
        }

        func lines(style: Style) -> [String] {
            ["\(isProblem ? style.red("✗") : style.green("✓")) \(text.oneLine)"]
                + details.map { "    \($0.oneLine)" }
        }
    }

    private func lua() -> Finding {
        let lua = LuaRelease.linked
        guard !lua.defects.isEmpty else { return .good(lua.name) }
        let trust =
            lua.defects.contains(where: \.isUnsafe)
            ? ["Scripts of people you don't trust are not safe on it."] : []
        return .bad(
            lua.name,
            lua.defects.map { "- \($0.sentence)" } + trust
                + ["Run dev/setup, then build with dev/swift: that takes the hardened Lua."])
    }

    private func sqlite() -> Finding {
        do { return .good("SQLite \(try SQLiteJournal.libraryVersion())") } catch { return .bad(error) }
    }

    private func folder() -> Finding {
        let path = Configuration.scripts(scripts)
        guard let found = ScriptCheck.run(folder: path) else {
            let isMeant = scripts != nil || Configuration.environment("PERIGEE_SCRIPTS") != nil
            return isMeant
                ? .bad(CommandFailure.noScripts(path)) : .good("no scripts folder \(path) here")
        }
        let problems = found.compactMap(\.problem)
        guard !problems.isEmpty else { return .good("\(path): \(counted(found.count, "script")), no errors") }
        return .bad(
            "\(path): \(counted(problems.count, "script")) of \(found.count) can't be loaded",
            problems.map { "- \($0.place) \($0.message) [\($0.code)]" } + ["See `perigee check \(path)`."])
    }

    /// Secrets of this environment and of files that may be sent anywhere; no problem, but good to know.
    private func unbound() -> [Finding] {
        let secrets = Configuration.settings(secrets: nil).secrets().filter { $0.hosts == nil }
        guard !secrets.isEmpty else { return [] }
        let hint =
            "Bind them: PERIGEE_SECRET_HOSTS_NAME=api.example, or a file NAME.hosts beside the secret's."
        return [
            Finding(
                isProblem: false, text: "\(counted(secrets.count, "secret")) may be sent to any host",
                details: secrets.map { "- \($0.name) (\($0.source))" } + [hint])
        ]
    }

    private func database() -> Finding {
        let path = Configuration.data(data)
        guard FileManager.default.fileExists(atPath: path) else { return .good("no database \(path) yet") }
        do {
            try SQLiteJournal.check(path: path)
            return .good("\(path) is sound")
        } catch {
            return .bad(error)
        }
    }
}
