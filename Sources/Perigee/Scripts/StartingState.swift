import PerigeeJournal
import PerigeeLua
import Synchronization

/// The state in which every run of a version begins: its main chunk has been run, and nothing else.
///
/// It is made once and copied for each run. Where the main chunk asks the host for something that is not the same for
/// every run, there is none, and each run makes its own.
final class StartingState: Sendable {
    private struct Made {
        var image: LuaImage?
        var limits: LuaLimits
        var hashSeed: UInt32
    }

    private let made = Mutex<Made?>(nil)

    /// The image, which the first caller makes.
    func image(of compiled: CompiledBundle, limits: LuaLimits, hashSeed: UInt32) -> LuaImage? {
        made.withLock { made in
            if let made { return made.limits == limits && made.hashSeed == hashSeed ? made.image : nil }
            let image = StartingState.make(compiled, limits, hashSeed)
            made = Made(image: image, limits: limits, hashSeed: hashSeed)
            return image
        }
    }

    private static func make(_ compiled: CompiledBundle, _ limits: LuaLimits, _ hashSeed: UInt32) -> LuaImage?
    {
        let host = StartingHost(compiled: compiled)
        let image = try? LuaImage { seed in
            let state = try compiled.makeState(
                host, limits: limits, seed: seed, hashSeed: hashSeed, isBlank: true)
            // A run is told what is wrong with the script, or that it takes long, when it does the same.
            guard case .returned = state.evaluate(compiled.script) else { throw StartingHost.Unfit() }
            return state
        }
        return host.wasAsked ? nil : image
    }
}

/// Answers a main chunk what is the same for every run, and notes whether it asked for anything else.
private final class StartingHost: LuaHost {
    struct Unfit: Error {}

    private(set) var wasAsked = false
    private let compiled: CompiledBundle

    init(compiled: CompiledBundle) {
        self.compiled = compiled
    }

    func module(_ name: String) -> LuaChunk? { compiled.chunkForRun(name) }

    func call(
        function: Int, arguments: Bytes, secrets: [SecretUse], script: String, line: Int
    ) -> LuaCallResult {
        let values = HostFunction.values(arguments)
        if let reply = HostFunction.allCases[function].pureReply(values) { return .reply(reply) }
        wasAsked = true
        return .reply(.nothing)
    }
}
