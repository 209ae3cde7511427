import PerigeeLua
import Testing

/// A host whose answers the test gives, and which remembers what it was asked.
final class ScriptedHost: LuaHost {
    struct Call: Equatable {
        var function: String
        var arguments: String
        var secrets: [SecretUse]
        var script: String
        var line: Int
    }

    static let functions = ["await_step", "echo", "answer", "refuse"]
    var calls: [Call] = []
    var modules: [String: LuaChunk] = [:]
    var answer = LuaReply.nothing

    func call(function: Int, arguments: Bytes, secrets: [SecretUse], script: String, line: Int)
        -> LuaCallResult
    {
        let name = ScriptedHost.functions[function]
        calls.append(
            Call(
                function: name, arguments: String(decoding: arguments, as: UTF8.self), secrets: secrets,
                script: script, line: line))
        return switch name {
        case "await_step": .suspend
        case "echo": .reply(.value(arguments))
        case "refuse": .reply(.failure(Array(#"{"code":"PG9000","message":"refused"}"#.utf8)))
        default: .reply(answer)
        }
    }

    func module(_ name: String) -> LuaChunk? { modules[name] }
}

/// One script in a state of its own, with the host's functions under short names.
final class ScriptRunner {
    let host: ScriptedHost
    let state: LuaState

    private static let prelude = """
        local host, env = ...
        env.await, env.echo, env.answer, env.refuse = host.await_step, host.echo, host.answer, host.refuse
        env.secret, env.array, env.is_array, env.null = host.secret, host.array, host.is_array, host.null
        env.encode, env.decode = host.json_encode, host.json_decode
        function env.await_in_stdlib(...) local got = host.await_step(...) return got end
        """

    /// Makes the state and evaluates `script`, a chunk that returns the definition.
    init(
        script: String, modules: [String: String] = [:], limits: LuaLimits = LuaLimits(), seed: UInt64 = 0,
        isBlank: Bool = false
    ) throws {
        host = ScriptedHost()
        for (name, text) in modules {
            host.modules[name] = try LuaChunk.compile(
                text, name: name.split(separator: ".").joined(separator: "/") + ".lua")
        }
        state = try LuaState(
            limits: limits, functions: ScriptedHost.functions, host: host, seed: seed,
            isBlank: isBlank)
        try state.runPrelude(try LuaChunk.compile(ScriptRunner.prelude, name: "stdlib/prelude.lua"))
        let step = state.evaluate(try LuaChunk.compile(script, name: "test.lua"))
        guard case .returned(nil) = step else { throw UnexpectedStep(step) }
    }

    /// The same with `body` as the text of the function `run(input)`, which begins in line 1.
    convenience init(
        _ body: String, argument: String = "{}", modules: [String: String] = [:],
        limits: LuaLimits = LuaLimits(),
        seed: UInt64 = 0
    ) throws {
        try self.init(
            script: "return { run = function(input) \(body)\nend }", modules: modules, limits: limits,
            seed: seed)
        try state.begin("run", argument: Array(argument.utf8))
    }

    /// A copy of a state that has evaluated its script, with the function `run(input)` begun.
    init(copying image: LuaImage, limits: LuaLimits = LuaLimits(), seed: UInt64 = 0, isBlank: Bool = false)
        throws
    {
        host = ScriptedHost()
        state = try LuaState(copying: image, limits: limits, host: host, seed: seed, isBlank: isBlank)
        try state.begin("run", argument: Array("{}".utf8))
    }

    /// The image of the state that has evaluated a script.
    static func image(
        of script: String, modules: [String: String] = [:], limits: LuaLimits = LuaLimits()
    ) throws -> LuaImage? {
        try LuaImage { seed in
            try ScriptRunner(script: script, modules: modules, limits: limits, seed: seed, isBlank: true)
                .state
        }
    }

    /// Goes on to the next step that is no end of a time slice.
    func advance(_ reply: LuaReply? = nil) -> LuaStep {
        var step = state.advance(reply)
        while case .preempted = step { step = state.advance(nil) }
        return step
    }

    func advance(json: String) -> LuaStep { advance(.value(Array(json.utf8))) }

    /// Runs to the end, answering each suspended call with what `reply` gives for its number, from 1.
    func finish(_ reply: (Int) -> LuaReply = { _ in .nothing }) -> LuaStep {
        var step = advance()
        var count = 0
        while case .suspended = step {
            count += 1
            step = advance(reply(count))
        }
        return step
    }
}

struct UnexpectedStep: Error, CustomStringConvertible {
    let description: String
    init(_ step: LuaStep) { description = "unexpected step: \(step)" }
}

extension LuaStep {
    /// The JSON that was returned, `nil` in text for nothing.
    func result() throws -> String {
        guard case .returned(let bytes) = self else { throw UnexpectedStep(self) }
        return bytes.map { String(decoding: $0, as: UTF8.self) } ?? "nil"
    }

    func failure() throws -> LuaFailure {
        guard case .failed(let failure) = self else { throw UnexpectedStep(self) }
        return failure
    }

    func limit() throws -> LuaLimit {
        guard case .ended(let limit) = self else { throw UnexpectedStep(self) }
        return limit
    }

    var isSuspended: Bool {
        if case .suspended = self { true } else { false }
    }
}

extension LuaFailure {
    /// The field `code` of an error table.
    var code: String? {
        let text = String(decoding: value ?? [], as: UTF8.self)
        guard let start = text.firstRange(of: #""code":""#)?.upperBound else { return nil }
        return String(text[start...].prefix { $0 != "\"" })
    }
}

/// Runs the text of a function to its end.
func run(_ body: String, argument: String = "{}", limits: LuaLimits = LuaLimits()) throws -> LuaStep {
    try ScriptRunner(body, argument: argument, limits: limits).finish()
}
