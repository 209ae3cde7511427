import ArgumentParser
import Perigee
import PerigeeJournal

struct CheckCommand: ParsableCommand {
    enum Format: String, CaseIterable, ExpressibleByArgument { case text, unix, json }

    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Load every script and show every error.",
        discussion: """
            Examples:
              perigee check                 the folder ./scripts
              perigee check flows -o unix   one line per error, as compilers write them
              perigee check -o json         for programs
            """)

    @Argument(help: "The scripts folder. (default: $PERIGEE_SCRIPTS or scripts)")
    var folder: String?

    @Option(name: [.customShort("o"), .long], help: "text, unix or json.")
    var output: Format = .text

    func run() throws {
        let folder = Configuration.scripts(folder)
        guard let scripts = ScriptCheck.run(folder: folder) else { throw CommandFailure.noScripts(folder) }
        switch output {
        case .json: print(JSON.object(["items": .array(scripts.map(\.json))]).text)
        case .unix: for problem in scripts.compactMap(\.problem) { print(problem.unixLine(folder: folder)) }
        case .text: writeText(scripts, folder: folder)
        }
        if scripts.contains(where: { $0.problem != nil }) { throw ExitCode.failure }
    }

    private func writeText(_ scripts: [CheckedScript], folder: String) {
        let style = Style(isOn: Terminal.hasColour)
        let width = scripts.map(\.workflow.count).max() ?? 0
        for script in scripts {
            if let problem = script.problem {
                print(problem.lines(style: style, status: "").joined(separator: "\n"))
            } else {
                print(
                    "\(style.green("✓")) \(script.workflow.padded(to: width))   \(triggerText(script.triggers))"
                )
            }
        }
        let failed = scripts.count { $0.problem != nil }
        let more = explainCommand(scripts.lazy.compactMap(\.problem).first?.code)
        standardError(
            "\(counted(scripts.count, "script")), \(failed == 0 ? "no errors" : counted(failed, "error"))"
                + (more.isEmpty ? "" : " · \(more)"))
    }
}

extension ScriptProblem {
    /// `hello.lua:14`, or the file alone where no line is to blame.
    var place: String { line > 0 ? "\(file):\(line)" : file }

    /// The problem for people: where, the excerpt with its caret, then what is wrong and what to do.
    ///
    /// - Parameter status: what follows from it, behind the place.
    func lines(style: Style, status: String) -> [String] {
        let said = "\(message) \(hint)"
        guard !excerpt.isEmpty else {
            return [
                "\(style.red("✗")) \(style.bold(place))\(status)", "    \(said)   \(style.dim("[\(code)]"))",
            ]
        }
        var drawn = excerpt.printable.split(separator: "\n", omittingEmptySubsequences: false).map {
            "  \($0)"
        }
        let caret = drawn.popLast() ?? ""
        drawn.append("\(caret) \(said.oneLine)   \(style.dim("[\(code)]"))")
        return ["\(style.red("✗")) \(style.bold(place))\(status)"] + drawn
    }

    /// `scripts/hello.lua:14:3: error: … [PG1001]`.
    fileprivate func unixLine(folder: String) -> String {
        "\(folder)/\(file):\(max(line, 1)):\(max(column, 1)): error: \(message.oneLine) \(hint.oneLine) [\(code)]"
    }

    fileprivate var json: JSON {
        [
            "code": .string(code), "message": .string(message), "hint": .string(hint), "file": .string(file),
            "line": .int(Int64(line)), "column": .int(Int64(column)), "excerpt": .string(excerpt),
        ]
    }
}

extension CheckedScript {
    fileprivate var json: JSON {
        [
            "workflow": .string(workflow), "name": name.map { .string($0) } ?? .null,
            "triggers": .array(triggers),
            "error": problem?.json ?? .null,
        ]
    }
}
