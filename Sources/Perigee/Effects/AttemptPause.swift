import PerigeeJournal
import Synchronization

/// The time between two attempts of a call, which a person may cut short.
final class AttemptPause: Sendable {
    private enum State {
        case idle
        case waiting(Readiness)
        case brokenOff
    }

    private let state = Mutex(State.idle)

    /// Returns when the moment has come, or when ``end()`` says so.
    func wait(until moment: Timestamp, _ ambient: any Ambient) async throws(CancellationError) {
        let signal = Readiness()
        let mayWait = state.withLock { state in
            if case .brokenOff = state { return false }
            state = .waiting(signal)
            return true
        }
        guard mayWait else { throw CancellationError() }
        await withTaskGroup { group in
            group.addTask { try? await ambient.sleep(until: moment) }
            group.addTask { await signal.wait() }
            await group.next()
            group.cancelAll()
        }
        let goesOn = state.withLock { state in
            if case .brokenOff = state { return false }
            state = .idle
            return true
        }
        guard goesOn, !Task.isCancelled else { throw CancellationError() }
    }

    /// Lets the next attempt follow at once; returns whether one was waited for.
    func end() -> Bool {
        guard let signal = signal(then: .idle) else { return false }
        signal.open()
        return true
    }

    /// Lets no attempt follow; returns whether one was waited for.
    func breakOff() -> Bool {
        guard let signal = signal(then: .brokenOff) else { return false }
        signal.open()
        return true
    }

    private func signal(then next: State) -> Readiness? {
        state.withLock { state in
            guard case .waiting(let signal) = state else { return nil }
            state = next
            return signal
        }
    }
}

/// An effect that is under way.
struct EffectTask {
    let step: Step
    let pause: AttemptPause
    let task: Task<Void, Never>
}
