import PerigeeJournal
import Synchronization

/// Tells those who wait for the end of a run.
final class EndWaiters: Sendable {
    /// Another host may end the run, which only the store tells: every second it is asked.
    private static let lookMilliseconds: Int64 = 1000
    /// For so many runs a second, as those who wait behind a long line of runs must not keep the store from its work.
    private static let mostLooks = 256

    private struct State {
        /// The runs that this host works on.
        var underWay: Set<String> = []
        var waiters: [String: [EndWaiter]] = [:]
        var alarm: (due: Timestamp, task: Task<Void, Never>)?
        /// Before this moment the store is not asked again.
        var nextLooks = Timestamp(milliseconds: 0)
        var isFinished = false
    }

    private let ambient: any Ambient
    private let state = Mutex(State())

    init(ambient: any Ambient) {
        self.ambient = ambient
    }

    /// This host works on these runs: it will say ``ended(_:)`` or ``leave(_:)`` of each.
    func begin(_ runs: [String]) {
        state.withLock { $0.underWay.formUnion(runs) }
    }

    /// This host works on the run no longer, and it has not ended.
    func leave(_ run: String) {
        state.withLock { _ = $0.underWay.remove(run) }
    }

    func isUnderWay(_ run: String) -> Bool {
        state.withLock { $0.underWay.contains(run) }
    }

    /// Somebody who waits from now on; ``remove(_:of:)`` says that they do no more.
    func waiter(_ run: String) -> EndWaiter {
        let waiter = EndWaiter()
        let isFinished = state.withLock { state in
            state.waiters[run, default: []].append(waiter)
            return state.isFinished
        }
        if isFinished { waiter.wake(nil) }
        return waiter
    }

    func remove(_ waiter: EndWaiter, of run: String) {
        state.withLock { state in
            state.waiters[run]?.removeAll { $0 === waiter }
            if state.waiters[run]?.isEmpty == true { state.waiters[run] = nil }
        }
    }

    /// A run has ended.
    func ended(_ run: RunRecord) {
        wake(run.id, run)
    }

    /// A run needs attention, or may have ended: whoever waits looks for themselves.
    func stopped(_ run: String) {
        wake(run, nil)
    }

    private func wake(_ id: String, _ run: RunRecord?) {
        let waiters = state.withLock { state in
            state.underWay.remove(id)
            return state.waiters.removeValue(forKey: id) ?? []
        }
        for waiter in waiters { waiter.wake(run) }
    }

    /// Waits for the end of a run.
    ///
    /// - Returns: the run as it ended; `nil` when it is time to look into the store: at the latest at `deadline`.
    func wait(_ waiter: EndWaiter, before deadline: Timestamp) async -> RunRecord? {
        // All wait for the same seconds, so that one alarm does for them.
        let step = EndWaiters.lookMilliseconds
        let look = min(Timestamp(milliseconds: (ambient.now.milliseconds / step + 2) * step), deadline)
        state.withLock { state in
            waiter.times = (look, deadline)
            arm(look, &state)
        }
        return await withTaskCancellationHandler {
            await waiter.wait()
        } onCancel: {
            waiter.wake(nil)
        }
    }

    private func arm(_ look: Timestamp, _ state: inout State) {
        if let alarm = state.alarm, alarm.due <= look { return }
        state.alarm?.task.cancel()
        let task = Task { [weak self, ambient] in
            guard (try? await ambient.sleep(until: look)) != nil else { return }
            self?.ring(at: look)
        }
        state.alarm = (look, task)
    }

    private func ring(at due: Timestamp) {
        let woken = state.withLock { state in
            let waiting = state.waiters.values.joined().compactMap { waiter in
                waiter.times.map { (waiter: waiter, look: $0.look, deadline: $0.deadline) }
            }
            let asking = waiting.filter { $0.look <= due && $0.deadline > due }
            var first: ArraySlice<(waiter: EndWaiter, look: Timestamp, deadline: Timestamp)> = []
            if !asking.isEmpty, state.nextLooks <= due {
                // Those whose turn does not come now keep the look that they had, and so come first the next time.
                first = asking.sorted { $0.look < $1.look }.prefix(EndWaiters.mostLooks)
                state.nextLooks = due.adding(milliseconds: EndWaiters.lookMilliseconds)
            }
            if state.alarm?.due == due { state.alarm = nil }
            var next = waiting.flatMap { [$0.look, $0.deadline] }.filter { $0 > due }.min()
            if first.count < asking.count { next = min(next ?? state.nextLooks, state.nextLooks) }
            if let next { arm(next, &state) }
            return (waiting.filter { $0.deadline <= due } + first).map(\.waiter)
        }
        for waiter in woken { waiter.wake(nil) }
    }

    var isFinished: Bool { state.withLock { $0.isFinished } }

    /// The host ends: everybody looks for the last time.
    func finish() {
        let waiters = state.withLock { state in
            state.isFinished = true
            state.alarm?.task.cancel()
            defer { state.waiters.removeAll() }
            return state.waiters.values.flatMap(\.self)
        }
        for waiter in waiters { waiter.wake(nil) }
    }
}

/// One who waits for the end of a run.
final class EndWaiter: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<RunRecord?, Never>)
        case woken(RunRecord?)
    }

    private let state = Mutex(State.idle)
    /// When it is to look into the store and when it is to be woken in any case; `nil` before it waits.
    ///
    /// Guarded by the state of ``EndWaiters``.
    nonisolated(unsafe) var times: (look: Timestamp, deadline: Timestamp)?

    func wait() async -> RunRecord? {
        await withCheckedContinuation { continuation in
            let woken: RunRecord?? = state.withLock { state in
                if case .woken(let run) = state { return .some(run) }
                state = .waiting(continuation)
                return .none
            }
            if let woken { continuation.resume(returning: woken) }
        }
    }

    /// Wakes it once; later calls do nothing.
    func wake(_ run: RunRecord?) {
        let continuation: CheckedContinuation<RunRecord?, Never>? = state.withLock { state in
            defer { if case .woken = state {} else { state = .woken(run) } }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        continuation?.resume(returning: run)
    }
}
