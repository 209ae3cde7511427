import ArgumentParser
import Foundation
import Perigee

/// Where the master key of the store's secrets comes from.
struct MasterKeyOptions: ParsableArguments {
    @Option(
        help:
            """
            The file with the master key of the store's secrets; older keys may follow it. \
            (default: $PERIGEE_MASTER_KEY_FILE, $PERIGEE_MASTER_KEY itself, perigee-master-key in \
            $CREDENTIALS_DIRECTORY or /run/secrets)
            """
    )
    var masterKeyFile: String?

    private static let maxBytes = 65_536

    /// The keys, the one that seals first; none where nothing says any.
    ///
    /// - Throws: ``CommandFailure`` for a file that can't be read, and for what is no key.
    func keys() throws(CommandFailure) -> [MasterKey] {
        if let file = masterKeyFile ?? Configuration.environment("PERIGEE_MASTER_KEY_FILE") {
            guard let text = MasterKeyOptions.text(file) else {
                throw CommandFailure(
                    code: "PG5041", message: "The master key file \(file) can't be read.",
                    hint: "Check its name and that this user may read it.")
            }
            return try MasterKeyOptions.keys(text, from: file)
        }
        if let text = Configuration.environment("PERIGEE_MASTER_KEY") {
            return try MasterKeyOptions.keys(text, from: "PERIGEE_MASTER_KEY")
        }
        let folders = [Configuration.environment("CREDENTIALS_DIRECTORY"), "/run/secrets"].compactMap(\.self)
        for folder in folders {
            let file = "\(folder)/\(Settings.masterKeyName)"
            if let text = MasterKeyOptions.text(file) { return try MasterKeyOptions.keys(text, from: file) }
        }
        return []
    }

    private static func text(_ path: String) -> String? {
        guard let file = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? file.close() }
        return (try? file.read(upToCount: maxBytes)).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func keys(_ text: String, from source: String) throws(CommandFailure) -> [MasterKey] {
        guard let keys = MasterKey.list(text) else {
            throw CommandFailure(
                code: "PG5040", message: "\(source) does not hold a master key: 32 bytes in Base64.",
                hint: "Make one with perigee secrets generate-key; several are separated by spaces or lines.")
        }
        return keys
    }
}
