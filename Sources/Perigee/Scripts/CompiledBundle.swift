import PerigeeJournal
import PerigeeLua

/// A bundle with its chunks compiled: what every run of a version shares.
final class CompiledBundle: Sendable {
    let bundle: ScriptBundle
    /// Chunks by the name under which they are asked for: a path without `.lua`, `stdlib/http`, `lib.crm`.
    private let chunks: [String: LuaChunk]
    let script: LuaChunk
    let prelude: LuaChunk
    let startingState = StartingState()

    /// Compiles every text of a bundle.
    ///
    /// - Throws: ``ScriptProblem`` for a text that is not Lua, or uses a name that nothing defines.
    init(_ bundle: ScriptBundle) throws(ScriptProblem) {
        self.bundle = bundle
        var chunks: [String: LuaChunk] = [:]
        for (path, text) in bundle.files.sorted(by: { $0.key < $1.key }) {
            let isStdlib = path.hasPrefix("stdlib/")
            let name = String(path.dropLast(4))
            let chunk: LuaChunk
            do {
                chunk = try LuaChunk.compile(text, name: isStdlib ? name : path)
            } catch {
                throw ScriptProblem(error, file: path, text: text)
            }
            if !isStdlib { try CompiledBundle.checkNames(chunk, file: path, text: text) }
            chunks[isStdlib ? name : name.replacing("/", with: ".")] = chunk
        }
        guard let script = chunks[bundle.workflow], let prelude = chunks["stdlib/prelude"] else {
            throw ScriptProblem(
                code: "PG1006", message: "The stored version of \(bundle.workflow) is incomplete.",
                hint: "Restore the database from a backup.", file: bundle.scriptPath)
        }
        self.chunks = chunks
        self.script = script
        self.prelude = prelude
    }

    /// The chunk of a required module (`lib.crm`) or a piece of the stdlib (`stdlib/http`).
    func chunk(_ name: String) -> LuaChunk? {
        chunks[name]
    }

    /// The same for a run: a definition is not checked anew for each of them.
    func chunkForRun(_ name: String) -> LuaChunk? {
        // Versions of earlier days have only the one piece.
        (name == "stdlib/workflow" ? chunks["stdlib/workflow_of_run"] : nil) ?? chunks[name]
    }

    /// A state of its own with the stdlib's prelude, for which the script is still to be evaluated.
    ///
    /// - Throws: ``LuaFailure`` if the memory limit is too small even for that.
    func makeState(
        _ host: any LuaHost, limits: LuaLimits, seed: UInt64 = 0, hashSeed: UInt32 = 0, isBlank: Bool = false
    ) throws(LuaFailure) -> LuaState {
        let state = try LuaState(
            limits: limits, functions: HostFunction.names, host: host, seed: seed, hashSeed: hashSeed,
            isBlank: isBlank)
        try state.runPrelude(prelude)
        return state
    }

    private static func checkNames(_ chunk: LuaChunk, file: String, text: String) throws(ScriptProblem) {
        for use in chunk.globals.sorted(by: { ($0.line, $0.name) < ($1.line, $1.name) }) {
            if use.isAssignment {
                throw ScriptProblem(
                    code: "PG1004", message: "`\(use.name)` is assigned but is no local variable.",
                    hint: "Write `local \(use.name) = …`; scripts have no global variables.", file: file,
                    line: use.line, word: use.name, text: text)
            }
            guard !Stdlib.ambientNames.contains(use.name) else { continue }
            throw UnknownName(use.name).problem(file: file, line: use.line, text: text)
        }
    }
}

/// A name that nothing defines, in the words for it.
struct UnknownName {
    let code: String
    let message: String
    let hint: String
    let name: String

    init(_ name: String) {
        self.name = name
        if let way = Stdlib.absentNames[name] {
            (code, message, hint) = ("PG1002", "`\(name)` does not exist in workflow scripts.", way)
            return
        }
        code = "PG1001"
        let near = NearestName.of(name, among: Stdlib.ambientNames)
        message = "unknown name \"\(name)\"" + (near.map { " — did you mean \"\($0)\"?" } ?? ".")
        hint =
            near == nil
            ? "Declare it with `local \(name) = …`, or require the module that has it." : "Correct the name."
    }

    func problem(file: String, line: Int, text: String) -> ScriptProblem {
        ScriptProblem(
            code: code, message: message, hint: hint, file: file, line: line, word: name, text: text)
    }

    /// As an error table for Lua.
    var fields: JSON {
        [
            "code": .string(code), "kind": "script", "message": .string(message), "hint": .string(hint),
            "name": .string(name),
        ]
    }
}
