import Foundation
import PerigeeLua

/// What a run costs before it does anything: its own Lua state.
struct LuaRow {
    let load: Workload

    func measure() throws -> [Figure] {
        let host = try StdlibHost()
        let prelude = try host.chunk("stdlib/prelude")
        let returning = try LuaChunk.compile(
            "return workflow { run = function() return 1 end }", name: "returning.lua")
        let emitting = try LuaChunk.compile(
            "return workflow { run = function() emit(\"a\") emit(\"b\") emit(\"c\") return 1 end }",
            name: "emitting.lua")
        let state = try rounds { try self.state(host, prelude) }
        let empty = try rounds { try run(returning, try self.state(host, prelude)) }
        let three = try rounds { try run(emitting, try self.state(host, prelude)) }
        let image = try image(of: emitting, host, prelude)
        let copied = try rounds { try copy(of: image, host) }
        let threeCopied = try rounds { try finish(try copy(of: image, host), emitting) }
        let fresh = try self.state(host, prelude)
        let before = Double(fresh.memoryBytes)
        try run(emitting, fresh)
        return [
            Figure(.lua, "state: new, prelude, close", rounds: state, "µs"),
            Figure(.lua, "run that returns at once, with its state", rounds: empty, "µs"),
            Figure(.lua, "run of three emits, with its state", rounds: three, "µs"),
            Figure(.lua, "state with its script loaded: copied, close", rounds: copied, "µs"),
            Figure(.lua, "run of three emits, in a copied state", rounds: threeCopied, "µs"),
            Figure(.lua, "memory of a state after the prelude", before, "bytes"),
            Figure(.lua, "memory of a state after three emits", Double(fresh.memoryBytes), "bytes"),
        ]
    }

    /// The time of a body in each of some batches, in microseconds.
    private func rounds<Result>(_ body: () throws -> Result) rethrows -> [Double] {
        var batches: [Double] = []
        for _ in 0..<load.rounds {
            let start = ContinuousClock.now
            for _ in 0..<load.luaStates { _ = try body() }
            batches.append(start.age / Double(load.luaStates) * 1_000_000)
        }
        return batches
    }

    private func state(
        _ host: StdlibHost, _ prelude: LuaChunk, seed: UInt64 = 0, isBlank: Bool = false
    ) throws -> LuaState {
        let state = try LuaState(
            limits: LuaLimits(), functions: StdlibHost.functions, host: host, seed: seed, isBlank: isBlank)
        try state.runPrelude(prelude)
        return state
    }

    /// A state in which the script is loaded, as each run is given a copy of it.
    private func image(of script: LuaChunk, _ host: StdlibHost, _ prelude: LuaChunk) throws -> LuaImage {
        let image = try LuaImage { seed in
            let state = try self.state(host, prelude, seed: seed, isBlank: true)
            try evaluate(script, state)
            return state
        }
        guard let image else { throw BenchmarkError("This Lua has no images of states.") }
        return image
    }

    private func copy(of image: LuaImage, _ host: StdlibHost) throws -> LuaState {
        try LuaState(copying: image, limits: LuaLimits(), host: host, seed: 0)
    }

    private func run(_ script: LuaChunk, _ state: LuaState) throws {
        try evaluate(script, state)
        try finish(state, script)
    }

    private func evaluate(_ script: LuaChunk, _ state: LuaState) throws {
        guard case .returned = state.evaluate(script) else {
            throw BenchmarkError("\(script.name) did not load.")
        }
    }

    private func finish(_ state: LuaState, _ script: LuaChunk) throws {
        try state.begin("run", argument: Bytes("{}".utf8))
        let step = state.advance(nil)
        guard case .returned = step else { throw BenchmarkError("\(script.name) did not return: \(step)") }
    }
}

/// Gives a state the stdlib of this checkout, and answers every step at once.
private final class StdlibHost: LuaHost {
    /// As many as the engine gives a state; only `step` is used here.
    static let functions = [
        "await_step", "step", "note", "tag", "status", "now", "today", "uuid", "random", "run_info",
        "unknown_name",
        "nearest", "duration", "time",
    ]

    private let chunks: [String: LuaChunk]

    init() throws {
        let folder = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../stdlib").standardized
        var chunks: [String: LuaChunk] = [:]
        for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) {
            let name = "stdlib/" + file.deletingPathExtension().lastPathComponent
            chunks[name] = try LuaChunk.compile(try String(contentsOf: file, encoding: .utf8), name: name)
        }
        self.chunks = chunks
    }

    func chunk(_ name: String) throws -> LuaChunk {
        guard let chunk = chunks[name] else { throw BenchmarkError("The checkout has no \(name).lua.") }
        return chunk
    }

    func module(_ name: String) -> LuaChunk? {
        chunks[name] ?? chunks["stdlib/" + name]
    }

    func call(function: Int, arguments: Bytes, secrets: [SecretUse], script: String, line: Int)
        -> LuaCallResult
    {
        .reply(.value(Bytes("null".utf8)))
    }
}
