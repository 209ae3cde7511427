import Logging
import PerigeeJournal
import Synchronization

/// New work on its way to the store, as it stands.
public struct IntakeState: Hashable, Sendable {
    /// How many events and starts wait for the store.
    public var waiting: Int
    /// How many requests were refused since the host was made.
    public var refused: Int
}

/// The one way of new work to the store; what runs in flight commit does not pass here.
final class Intake: Sendable {
    private struct State {
        var admission: Admission
        var turns: [Int: CheckedContinuation<Int?, Never>] = [:]
        var refused = 0
        /// How many had been refused when the overload began that goes on; `nil` if none does.
        var refusedBefore: Int?
    }

    private let state: Mutex<State>
    private let logger: Logger

    init(options: HostOptions, logger: Logger) {
        let limits = Admission.Limits(
            waiting: .init(members: options.maxPendingSubmissions, bytes: options.maxPendingBytes),
            wait: .milliseconds(options.maxPendingMilliseconds))
        state = Mutex(State(admission: Admission(limits: limits)))
        self.logger = logger
    }

    var figures: IntakeState {
        state.withLock { IntakeState(waiting: $0.admission.waiting.members, refused: $0.refused) }
    }

    /// Does something with the store when its turn has come.
    ///
    /// - Throws: ``HostError`` `PG4080` if too much waits already; then nothing is done. Otherwise what `body` throws.
    func pass<Answer: Sendable>(
        _ size: Admission.Size, _ body: () async throws -> Answer
    ) async throws -> Answer {
        let seconds: Int? = await withCheckedContinuation { turn in
            let now = ContinuousClock.now
            let decision = state.withLock { state in
                let decision = state.admission.enter(size, at: now)
                if case .waits(let ticket) = decision { state.turns[ticket] = turn }
                return decision
            }
            switch decision {
            case .goes: turn.resume(returning: nil)
            case .waits: break
            case .refused(let seconds): turn.resume(returning: seconds)
            }
        }
        if let seconds { throw refusal(seconds) }
        defer { leave(size) }
        return try await body()
    }

    /// - Throws: ``HostError`` `PG4080` if even the smallest request would be refused now.
    func check() throws {
        let now = ContinuousClock.now
        let seconds = state.withLock { $0.admission.retryAfter(.init(members: 1, bytes: 0), at: now) }
        if let seconds { throw refusal(seconds) }
    }

    private func refusal(_ seconds: Int) -> HostError {
        let isFirst = state.withLock { state in
            defer {
                state.refusedBefore = state.refusedBefore ?? state.refused
                state.refused += 1
            }
            return state.refusedBefore == nil
        }
        if isFirst {
            logger.warning("more new work comes than the store can write; the rest is refused with 429")
        }
        return HostError.overloaded(retryAfter: seconds)
    }

    private func leave(_ size: Admission.Size) {
        let now = ContinuousClock.now
        let (turns, refused) = state.withLock { state in
            let turns = state.admission.leave(size, at: now).compactMap {
                state.turns.removeValue(forKey: $0)
            }
            guard state.admission.waiting.members == 0, let before = state.refusedBefore else {
                return (turns, nil as Int?)
            }
            state.refusedBefore = nil
            return (turns, state.refused - before)
        }
        for turn in turns { turn.resume(returning: nil) }
        if let refused { logger.notice("all new work is taken again; \(refused) requests were refused") }
    }
}

extension HostError {
    static func overloaded(retryAfter seconds: Int) -> HostError {
        HostError(
            code: "PG4080", status: 429, title: "Too much at once",
            message: "More new work comes than can be written, so nothing of this request was taken.",
            hint: "Send it again as it is in \(seconds) s.", retryAfterSeconds: seconds)
    }
}

extension Submission {
    /// How much of it the store has to write.
    var size: Int { (event?.data.count ?? 0) + starts.reduce(0) { $0 + $1.input.count } }
}

extension WorkflowHost {
    /// New work on its way to the store, as it stands.
    public var intakeState: IntakeState { intake.figures }

    /// Looks whether new work would be refused, so that a request need not be read for nothing.
    ///
    /// - Throws: ``HostError`` `PG4080` if even the smallest request would be refused now.
    public func checkIntake() throws { try intake.check() }
}
