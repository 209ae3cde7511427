public import PerigeeJournal
import Synchronization

/// What happens in a host, for pages and terminals.
///
/// It is not durable, and a slow reader may miss some of it.
public enum HostActivity: Sendable {
    /// Anything about a run changed.
    case runChanged(id: String)
    case runStarted(run: String, workflow: String)
    /// An attempt at a step ended.
    case attempt(run: String, workflow: String, step: String, detail: AttemptDetail)
    case stepCompleted(
        run: String, workflow: String, step: String, verb: String, failed: Bool, attempts: Int,
        milliseconds: Int64)
    /// The run waits; `approval` is the id of the decision that it waits for.
    case waiting(run: String, workflow: String, step: String, what: String, approval: String?)
    case decided(run: String, workflow: String, step: String, outcome: String, by: String, comment: String?)
    /// People were reminded of a decision, for the how-manieth time.
    case reminded(run: String, workflow: String, step: String, approval: String, number: Int)
    /// The run ended, or needs attention; `error` is the JSON of what went wrong.
    case runEnded(run: String, workflow: String, status: RunStatus, milliseconds: Int64, error: Payload?)
    /// A script told a number by `flow.metric`.
    case metric(run: String, workflow: String, name: String, value: Double)
    case scriptLoaded(workflow: String, version: Int, isFirst: Bool, addedLines: Int, removedLines: Int)
    /// Runs in flight were replayed against a new version.
    case scriptChecked(workflow: String, version: Int, moved: Int, stayed: [StayedRun])
    case scriptRefused(ScriptProblem, runningVersion: Int?)
    case scriptDeleted(workflow: String)
    /// At the start: so many runs go on where they were.
    case recovered(runs: Int)
}

/// A run that stays on its version, and why.
public struct StayedRun: Hashable, Sendable {
    public var run: String
    public var version: Int
    public var reason: String
}

/// Tells every subscriber what happens.
final class ActivityHub: Sendable {
    /// How many events a slow subscriber may be behind before it misses the oldest.
    private static let buffer = 1024

    private struct Subscriber {
        var isWanted: @Sendable (HostActivity) -> Bool
        var continuation: AsyncStream<HostActivity>.Continuation
    }

    private struct State {
        var next = 0
        var subscribers: [Int: Subscriber] = [:]
    }

    private let state = Mutex(State())

    /// - Parameter isWanted: what is told; it is asked on the threads that tell, at each event.
    func subscribe(
        where isWanted: @escaping @Sendable (HostActivity) -> Bool = { _ in true }
    ) -> AsyncStream<HostActivity> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: HostActivity.self, bufferingPolicy: .bufferingNewest(ActivityHub.buffer))
        let id = state.withLock { state in
            state.next += 1
            state.subscribers[state.next] = Subscriber(isWanted: isWanted, continuation: continuation)
            return state.next
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { $0.subscribers[id] = nil }
        }
        return stream
    }

    func send(_ event: HostActivity) {
        for subscriber in subscribers where subscriber.isWanted(event) {
            subscriber.continuation.yield(event)
        }
    }

    func finish() {
        for subscriber in subscribers { subscriber.continuation.finish() }
    }

    private var subscribers: [Subscriber] { state.withLock { Array($0.subscribers.values) } }
}

extension ActivityHub {
    /// Tells of a run that has ended without a host that worked on it.
    func sendEnded(_ run: RunRecord, to waiters: EndWaiters) {
        let since = run.startedAt ?? run.createdAt
        send(
            .runEnded(
                run: run.id, workflow: run.workflow, status: run.status,
                milliseconds: (run.endedAt ?? since).milliseconds - since.milliseconds, error: run.error))
        send(.runChanged(id: run.id))
        waiters.ended(run)
    }

    /// Tells of runs that one with the same key cancelled; those that unwind are told by the next claim.
    func send(cancelled runs: [RunRecord], to waiters: EndWaiters) {
        for run in runs {
            if run.status.isFinal { sendEnded(run, to: waiters) } else { send(.runChanged(id: run.id)) }
        }
    }
}
