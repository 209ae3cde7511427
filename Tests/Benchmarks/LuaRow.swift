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
        let state = try median { try self.state(host, prelude) }
        let empty = try median { try run(returning, try self.state(host, prelude)) }
        let three = try median { try run(emitting, try self.state(host, prelude)) }
        let fresh = try self.state(host, prelude)
        let before = Double(fresh.memoryBytes)
        try run(emitting, fresh)
        return [
            Figure(.lua, "state: new, prelude, close", state, "µs"),
            Figure(.lua, "run that returns at once, with its state", empty, "µs"),
            Figure(.lua, "run of three emits, with its state", three, "µs"),
            Figure(.lua, "memory of a state after the prelude", before, "bytes"),
            Figure(.lua, "memory of a state after three emits", Double(fresh.memoryBytes), "bytes"),
        ]
    }

    /// The median time of a body over batches, in microseconds.
    private func median<Result>(_ body: () throws -> Result) rethrows -> Double {
        var batches: [Double] = []
        for _ in 0..<load.rounds {
            let start = ContinuousClock.now
            for _ in 0..<load.luaStates { _ = try body() }
            batches.append(start.age / Double(load.luaStates) * 1_000_000)
        }
        return batches.median
    }

    private func state(_ host: StdlibHost, _ prelude: LuaChunk) throws -> LuaState {
        let state = try LuaState(limits: LuaLimits(), functions: StdlibHost.functions, host: host)
        try state.runPrelude(prelude)
        return state
    }

    private func run(_ script: LuaChunk, _ state: LuaState) throws {
        guard case .returned = state.evaluate(script) else {
            throw BenchmarkError("\(script.name) did not load.")
        }
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
