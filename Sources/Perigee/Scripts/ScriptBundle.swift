import Crypto
import Foundation
import PerigeeJournal
import PerigeeLua

/// The complete text that a version of a workflow is: the script, the modules that it requires, and the stdlib.
struct ScriptBundle: Sendable {
    /// SHA-256 over the paths and texts, in hexadecimal.
    let hash: String
    /// The workflow's id: the script's file name without `.lua`.
    let workflow: String
    /// Texts by path: `lead_routing.lua`, `lib/crm.lua`, `stdlib/http.lua`.
    let files: [String: String]

    /// Takes up a bundle that was stored.
    init(workflow: String, files: [String: String]) {
        self.workflow = workflow
        self.files = files
        var hasher = SHA256()
        for (path, text) in files.sorted(by: { $0.key < $1.key }) {
            hasher.update(data: Array("\(path.utf8.count):\(path)\(text.utf8.count):".utf8))
            hasher.update(data: Array(text.utf8))
        }
        hash = hasher.finalize().hexadecimal
    }

    /// The path of the script itself.
    var scriptPath: String { workflow + ".lua" }

    /// The texts that people wrote.
    var ownFiles: [String: String] { files.filter { !$0.key.hasPrefix("stdlib/") } }
}

/// Reads scripts and the modules that they require from a folder, and nothing outside of it.
struct ScriptFolder: Sendable {
    /// The largest script or module, in bytes.
    static let maxFileBytes = 1_048_576
    /// The most modules that one script may require, with theirs.
    static let maxModules = 200

    let path: String

    /// The ids of the workflows in the folder, in order; `nil` if there is no such folder.
    func workflows() -> [String]? {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else { return nil }
        return names.filter { $0.hasSuffix(".lua") && !$0.hasPrefix(".") }.map { String($0.dropLast(4)) }
            .sorted()
    }

    /// Reads a workflow's script with everything it requires.
    ///
    /// - Throws: ``ScriptProblem`` if a file is missing, too large, outside the folder, or not text.
    func bundle(workflow: String) throws(ScriptProblem) -> ScriptBundle {
        let script = workflow + ".lua"
        var files = Stdlib.files
        var open = [(path: script, requiredBy: "", line: 0)]
        var count = 0
        while let next = open.popLast() {
            guard files[next.path] == nil else { continue }
            count += 1
            let text = try read(next.path, requiredBy: next.requiredBy, line: next.line, texts: files)
            files[next.path] = text
            guard count <= ScriptFolder.maxModules else {
                throw ScriptProblem(
                    code: "PG1006",
                    message: "The script requires more than \(ScriptFolder.maxModules) modules.",
                    hint: "Require fewer, or join small ones.", file: script)
            }
            for required in ScriptFolder.requires(in: text) {
                guard let path = ScriptFolder.path(ofModule: required.name) else {
                    throw ScriptProblem(
                        code: "PG1006", message: "`\(required.name)` is no name of a module.",
                        hint:
                            "Write names and dots: require \"lib.crm\" reads lib/crm.lua in the scripts folder.",
                        file: next.path, line: required.line, word: required.name, text: text)
                }
                open.append((path, next.path, required.line))
            }
        }
        return ScriptBundle(workflow: workflow, files: files)
    }

    /// `lib.crm` is `lib/crm.lua`; `nil` for what is no plain dotted name.
    static func path(ofModule name: String) -> String? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy { $0 == 0x5F || $0 == 0x2D || isLetterOrDigit($0) }
        }
        guard isPlain, parts.count <= 8, parts.first != "stdlib" else { return nil }
        return parts.joined(separator: "/") + ".lua"
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// The modules that a text requires by a name that stands in it.
    static func requires(in text: String) -> [(name: String, line: Int)] {
        text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { index, line in
            let code = line.prefix(upTo: line.firstRange(of: "--")?.lowerBound ?? line.endIndex)
            return code.matches(of: /\brequire\s*\(?\s*["']([^"']*)["']/).map { (String($0.1), index + 1) }
        }
    }

    private func read(
        _ file: String, requiredBy: String, line: Int, texts: [String: String]
    ) throws(ScriptProblem) -> String {
        let root = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let full = URL(fileURLWithPath: path + "/" + file).resolvingSymlinksInPath().path
        guard full.hasPrefix(root + "/") else {
            throw ScriptProblem(
                code: "PG1006", message: "\(file) is a link that leads out of the scripts folder.",
                hint: "Copy the file into the folder.", file: requiredBy.isEmpty ? file : requiredBy)
        }
        let attributes = try? FileManager.default.attributesOfItem(atPath: full)
        let size = attributes?[.size] as? Int ?? 0
        // A pipe or a device would never end, or never answer.
        if let type = attributes?[.type] as? FileAttributeType, type != .typeRegular {
            throw ScriptProblem(
                code: "PG1006", message: "\(file) is not a file.",
                hint: "Put the script's text there, or rename it.",
                file: requiredBy.isEmpty ? file : requiredBy)
        }
        guard size <= ScriptFolder.maxFileBytes else {
            throw ScriptProblem(
                code: "PG1006", message: "\(file) has \(size) bytes; 1 MiB is the most.",
                hint: "Move data out of the script, or split it into modules.", file: file)
        }
        guard let data = FileManager.default.contents(atPath: full) else {
            let module = String(file.dropLast(4)).replacing("/", with: ".")
            throw ScriptProblem(
                code: "PG1006",
                message: requiredBy.isEmpty
                    ? "\(file) can't be read." : "There is no module `\(module)`: \(file) does not exist.",
                hint: requiredBy.isEmpty
                    ? "Check the file and its rights."
                    : "Create \(file) in the scripts folder, or correct the name.",
                file: requiredBy.isEmpty ? file : requiredBy, line: line, word: module,
                text: texts[requiredBy])
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ScriptProblem(
                code: "PG1009", message: "\(file) is not text in UTF-8.", hint: "Save it as UTF-8.",
                file: file)
        }
        return text
    }
}
