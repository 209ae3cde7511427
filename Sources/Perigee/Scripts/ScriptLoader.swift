import PerigeeJournal
import PerigeeLua

/// A script that can be run.
struct LoadedScript: Sendable {
    let compiled: CompiledBundle
    let definition: WorkflowDefinition
}

/// Turns a bundle into a script that can be run, or says why it is none.
struct ScriptLoader: Sendable {
    var limits: LuaLimits
    var settings: Settings

    /// Compiles a bundle, checks every name in it, runs its main chunk once and reads what it declares.
    ///
    /// - Throws: ``ScriptProblem`` with the place in the text.
    func load(_ bundle: ScriptBundle) throws(ScriptProblem) -> LoadedScript {
        let compiled = try CompiledBundle(bundle)
        let host = LoadingHost(compiled: compiled, settings: settings)
        do {
            let state = try compiled.makeState(host, limits: limits)
            try ScriptLoader.finish(state, compiled.script, bundle: bundle)
            let fields = try JSON(parsing: state.definition())
            return LoadedScript(
                compiled: compiled, definition: try WorkflowDefinition(fields, bundle: bundle))
        } catch let failure as LuaFailure {
            throw ScriptProblem(failure, file: bundle.scriptPath, texts: bundle.files)
        } catch let problem as ScriptProblem {
            throw problem
        } catch {
            throw ScriptProblem(
                code: "PG1014", message: "The definition can't be read: \(error).",
                hint: "Correct the script.",
                file: bundle.scriptPath)
        }
    }

    /// Runs the main chunk to its end, through any number of slices.
    static func finish(_ state: LuaState, _ script: LuaChunk, bundle: ScriptBundle) throws {
        var step = state.evaluate(script)
        while case .preempted = step { step = state.advance(nil) }
        switch step {
        case .returned: return
        case .failed(let failure):
            throw ScriptProblem(failure, file: bundle.scriptPath, texts: bundle.files, lookUp: state.lookUp)
        case .ended(let limit):
            throw ScriptProblem(
                code: limit.kind == .cpu ? "PG1030" : "PG1031",
                message:
                    "The script \(limit.kind == .cpu ? "runs too long" : "needs too much memory") while it is loaded.",
                hint: "Only declare things outside of `run`; do the work inside it.", file: limit.script,
                line: limit.line, text: bundle.files[limit.script])
        case .suspended, .preempted:
            throw ScriptProblem(
                code: "PG1008", message: "A durable verb is called while the script is loaded.",
                hint: "Call it inside `run = function(input) … end`.", file: bundle.scriptPath)
        }
    }
}

/// What a script's main chunk sees of the host: nothing durable.
final class LoadingHost: LuaHost {
    private let compiled: CompiledBundle
    private let settings: Settings

    init(compiled: CompiledBundle, settings: Settings) {
        self.compiled = compiled
        self.settings = settings
    }

    func module(_ name: String) -> LuaChunk? {
        compiled.chunk(name)
    }

    func call(
        function: Int, arguments: Bytes, secrets: [SecretUse], script: String, line: Int
    ) -> LuaCallResult {
        let function = HostFunction.allCases[function]
        let values = HostFunction.values(arguments)
        if let reply = function.pureReply(values) { return .reply(reply) }
        switch function {
        case .step where values.first?.string == "config":
            return .reply(settings.configReply(values.count > 1 ? values[1].string ?? "" : ""))
        case .run_info: return .reply(.value(JSON.object([:]).bytes))
        case .note: return .reply(.nothing)
        default:
            let verb = values.first?.string ?? function.rawValue
            let isNamed = function.isStep || function == .clock
            let name = isNamed ? verb : "flow." + function.rawValue
            return .reply(
                .failure(
                    ScriptError(
                        code: "PG1008", kind: "script",
                        message: "`\(name)` is called while the script is loaded.",
                        hint: "Call it inside `run = function(input) … end`."
                    ).bytes))
        }
    }
}
