import Foundation
import PerigeeLua
import Testing

/// The corpora of Tests/Corpus, or of the folder that PERIGEE_CORPUS names; see the README there.
enum Corpus {
    static let folder =
        ProcessInfo.processInfo.environment["PERIGEE_CORPUS"].map { URL(fileURLWithPath: $0) }
        ?? URL(fileURLWithPath: #filePath).appendingPathComponent("../../Corpus").standardized

    /// What can't hold on the Lua of a system, and why; the hardened one has none of it.
    static let systemDefects = [
        "det-border-objects": "the order of object keys follows addresses",
        "det-border-strings": "the seed of the hash follows time and addresses",
        "det-crash-barrier": "a missed write barrier frees a table that is in use (up to 5.4.8)",
        "det-crash-close-chain": "nested coroutine.close overflows the C stack (up to 5.4.4)",
        "det-crash-concat-realloc": "Debian's 5.4.4 concatenates through a stack that has moved",
        "det-wrong-bitwise": "bitwise operators with more than 255 constants compute wrongly (up to 5.4.4)",
        "det-wrong-break-close": "a break skips the closing value of a generic for (up to 5.4.4)",
        "err-field-chain": "naming a variable in an error overflows the C stack (up to 5.4.6)",
        "mem-crash-finishset": "a collection inside an assignment frees a table twice (up to 5.4.7)",
    ]

    /// The scripts of attacks/ that must end so, without those that the linked Lua can't hold.
    static func attacks(_ expectation: Expectation) -> [CorpusScript] {
        attacks.filter { $0.expectation == expectation }
            .filter { LuaRelease.linked.isHardened || systemDefects[$0.name] == nil }
    }

    static let attacks = read("attacks")
    static let legit = read("legit")

    private static func read(_ name: String) -> [CorpusScript] {
        let folder = folder.appendingPathComponent(name)
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".lua") }.sorted().map { CorpusScript(folder: folder, file: $0) }
    }
}

/// How a script of attacks/ must end, as its first line says.
enum Expectation: String, CaseIterable {
    case error, denied, deterministic
    case killedByCPU = "killed-cpu"
    case killedByMemory = "killed-memory"
}

/// One script of a corpus.
struct CorpusScript: Codable, CustomTestStringConvertible, Sendable {
    let name: String
    let path: String

    init(folder: URL, file: String) {
        name = String(file.dropLast(".lua".count))
        path = folder.appendingPathComponent(file).path
    }

    var testDescription: String { name }

    var text: String { read(path) }
    /// What it must print, of a script of legit/.
    var output: String { read(path.dropLast("lua".count) + "out") }

    var expectation: Expectation? {
        let first = text.prefix { $0 != "\n" }
        return first.hasPrefix("-- expect: ") ? Expectation(rawValue: String(first.dropFirst(11))) : nil
    }

    /// What the sandbox does not allow and a script of legit/ does: reading a variable that nothing declares.
    private static let undeclared = ["load-text": "local x"]

    /// A workflow that is this script, with its lines where they are and a `...` that is empty as in a main chunk.
    var workflow: String {
        "return workflow { name = \"Corpus\", run = function() (function(...) \(declared) \(text)\nend)() end }\n"
    }

    private var declared: String { CorpusScript.undeclared[name] ?? "" }

    /// A workflow that loads this script, for one that is refused where it stands by itself.
    var loadingWorkflow: String {
        let level = String(repeating: "=", count: 9)
        return """
            return workflow { name = "Corpus", run = function()
              assert(load([\(level)[\(text)]\(level)], "=corpus.lua"))()
            end }
            """
    }

    private func read(_ path: some StringProtocol) -> String {
        (try? String(contentsOfFile: String(path), encoding: .utf8)) ?? ""
    }
}
