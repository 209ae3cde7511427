import Foundation
import PerigeeJournal

/// Data on the command line: `@file.json`, `-` for standard input, JSON text, or `k=v` and `k:=JSON` words.
enum InputText {
    /// Reads the words after `--input` or `--data`.
    ///
    /// - Returns: an object with no fields if there are no words.
    /// - Throws: ``CommandFailure`` for a file that can't be read, or words that are none of these.
    static func json(_ words: [String]) throws(CommandFailure) -> JSON {
        guard let first = words.first else { return .object([:]) }
        if words.count == 1 {
            if first == "-" {
                return try parse(FileHandle.standardInput.readDataToEndOfFile(), "Standard input")
            }
            if first.hasPrefix("@") { return try file(String(first.dropFirst())) }
            if let start = first.first(where: { !$0.isWhitespace }), "{[".contains(start) {
                return try parse(Data(first.utf8), "The text \(first.prefix(40))")
            }
        }
        var fields: [String: JSON] = [:]
        for word in words {
            let (key, value) = try field(word)
            fields[key] = value
        }
        return .object(fields)
    }

    /// Reads a file of JSON.
    ///
    /// - Throws: ``CommandFailure`` if it can't be read or is not JSON.
    static func file(_ path: String) throws(CommandFailure) -> JSON {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .usage("The file \(path) can't be read.", hint: "Check its name and permissions.")
        }
        return try parse(data, path)
    }

    private static func parse(_ data: Data, _ name: String) throws(CommandFailure) -> JSON {
        do { return try JSON(parsing: data) } catch {
            throw .usage("\(name) is not JSON: \(error).", hint: "Mend it, or write fields as k=v.")
        }
    }

    private static func field(_ word: String) throws(CommandFailure) -> (String, JSON) {
        guard let equals = word.firstIndex(of: "="), equals > word.startIndex else {
            throw .usage(
                "\"\(word)\" is no data.",
                hint:
                    "Write k=v for text, k:=7 for a number or other JSON, '{…}', @file.json, or - for standard input."
            )
        }
        let value = String(word[word.index(after: equals)...])
        let key = word[..<equals]
        guard key.hasSuffix(":") else { return (String(key), .string(value)) }
        return (String(key.dropLast()), try parse(Data(value.utf8), "The value of \"\(key.dropLast())\""))
    }
}
