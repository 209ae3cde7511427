public import Perigee
public import PerigeeJournal
import Synchronization

/// A clock that a test moves, and randomness that a seed decides.
public final class ManualClock: Ambient {
    private struct Sleeper {
        var moment: Timestamp
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var now: Timestamp
        var random: UInt64
        var next = 0
        var sleepers: [Int: Sleeper] = [:]
    }

    private let state: Mutex<State>

    /// Makes a clock.
    ///
    /// - Parameters:
    ///   - now: where it stands.
    ///   - seed: of its randomness.
    public init(now: Timestamp = Timestamp(milliseconds: 1_790_000_000_000), seed: UInt64 = 1) {
        state = Mutex(State(now: now, random: seed))
    }

    public var now: Timestamp { state.withLock { $0.now } }

    /// Moves the clock, and wakes everybody whose moment has come.
    ///
    /// - Parameter milliseconds: how far, 0 or more.
    public func advance(milliseconds: Int64) {
        let woken = state.withLock { state in
            state.now = state.now.adding(milliseconds: milliseconds)
            let due = state.sleepers.filter { $0.value.moment <= state.now }
            for id in due.keys { state.sleepers[id] = nil }
            return due.values.sorted { $0.moment < $1.moment }
        }
        for sleeper in woken { sleeper.continuation.resume(returning: true) }
    }

    /// When the next sleeper wakes; `nil` if nobody sleeps.
    public var nextWake: Timestamp? { state.withLock { $0.sleepers.values.map(\.moment).min() } }

    /// When everybody who sleeps wakes, the next first.
    public var wakes: [Timestamp] { state.withLock { $0.sleepers.values.map(\.moment).sorted() } }

    public func sleep(until moment: Timestamp) async throws {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        let woken = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    if moment <= state.now { return true }
                    state.sleepers[id] = Sleeper(moment: moment, continuation: continuation)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: id) }?.continuation.resume(returning: false)
        }
        guard woken else { throw CancellationError() }
    }

    public func randomUInt64() -> UInt64 {
        state.withLock { state in
            // SplitMix64 (Steele, Lea and Flood 2014)
            state.random &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state.random
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }
}
