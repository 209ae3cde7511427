import Foundation
import Perigee
import PerigeeJournal

/// What stands on the command line comes first, then the environment, then the default.
enum Configuration {
    static func scripts(_ option: String?) -> String { option ?? environment("PERIGEE_SCRIPTS") ?? "scripts" }
    static func data(_ option: String?) -> String { option ?? environment("PERIGEE_DATA") ?? "perigee.db" }
    static func host(_ option: String?) -> String { option ?? environment("PERIGEE_HOST") ?? "127.0.0.1" }

    /// - Throws: ``CommandFailure`` for what is no port.
    static func port(_ option: Int?) throws(CommandFailure) -> Int {
        guard let option else {
            guard let text = environment("PERIGEE_PORT") else { return 7420 }
            guard let number = Int(text), (0...65_535).contains(number) else {
                throw .usage(
                    "PERIGEE_PORT is \"\(text)\".", hint: "A port is a number from 1 to 65535, or 0 for any.")
            }
            return number
        }
        guard (0...65_535).contains(option) else {
            throw .usage("\(option) is no port.", hint: "A port is a number from 1 to 65535, or 0 for any.")
        }
        return option
    }

    /// How long ended runs are kept; `nil` where nothing says it.
    ///
    /// - Throws: ``CommandFailure`` for what is no duration.
    static func keep(_ option: String?) throws(CommandFailure) -> Keep? {
        guard let text = option ?? environment("PERIGEE_KEEP") else { return nil }
        guard let keep = Keep(text) else {
            throw .usage(
                "\(option == nil ? "PERIGEE_KEEP" : "--keep") is \"\(text)\".",
                hint: "Write a duration such as 30d or 12h, or forever.")
        }
        return keep
    }

    /// How many events and starts may wait for the database; `nil` where nothing says it.
    ///
    /// - Throws: ``CommandFailure`` for what is no number from 1 on.
    static func maxPending(_ option: Int?) throws(CommandFailure) -> Int? {
        guard let text = option.map(String.init) ?? environment("PERIGEE_MAX_PENDING") else { return nil }
        guard let number = Int(text), number > 0 else {
            throw .usage(
                "\(option == nil ? "PERIGEE_MAX_PENDING" : "--max-pending") is \"\(text)\".",
                hint: "Write how many events and starts may wait, 1 or more.")
        }
        return number
    }

    /// The values of a repeatable option, or of a comma list in the environment.
    static func list(_ options: [String], _ name: String) -> [String] {
        guard options.isEmpty else { return options }
        let parts = (environment(name) ?? "").split(separator: ",")
        return parts.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    /// The folders in which secrets lie as files, the first that has one counts: the option or its variable, what
    /// systemd hands over, what Docker hands over.
    private static func secretFolders(_ option: String?) -> [String] {
        [option ?? environment("PERIGEE_SECRETS"), environment("CREDENTIALS_DIRECTORY"), "/run/secrets"]
            .compactMap {
                $0
            }
    }

    /// The environment, and where it has not what is asked for, those folders.
    static func settings(secrets option: String?) -> Settings {
        secretFolders(option).reduce(.environment()) { $0.or(.files(in: $1)) }
    }

    /// A variable of the environment; an empty one counts as not set.
    static func environment(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}
