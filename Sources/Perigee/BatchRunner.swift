import Logging
import PerigeeJournal
import Synchronization

/// Works off batches in the background.
///
/// Which run was acted on stands in the store, written with what was done, so that nothing is done twice whatever
/// happens to the host.
final class BatchRunner: Sendable {
    private static let pageSize = 32
    private static let retryMilliseconds: Int64 = 1000

    /// What is known of the batches that wait.
    private struct State {
        /// Some have as many runs at work as they may: the next end of a run counts.
        var isHeld = false
        /// When each may act again, by id.
        var nextAt: [String: Timestamp] = [:]
        var alarm: Task<Void, Never>?
    }

    private let state = Mutex(State())
    private let pokes: AsyncStream<Void>
    private let poking: AsyncStream<Void>.Continuation

    init() {
        (pokes, poking) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Looks at the batches soon.
    func poke() {
        poking.yield()
    }

    /// Works until the task is cancelled.
    func run(_ host: WorkflowHost) async {
        await withTaskGroup { group in
            group.addTask {
                let changes = host.activityHub.subscribe { activity in
                    guard case .runChanged = activity else { return false }
                    return self.state.withLock { $0.isHeld }
                }
                for await _ in changes { self.poke() }
            }
            poke()
            for await _ in pokes {
                do {
                    while try await work(host) {}
                } catch {
                    host.logger.error("the batches can't be worked on; trying again in 1 s: \(error)")
                    wake(at: host.ambient.now.adding(milliseconds: BatchRunner.retryMilliseconds), host)
                }
            }
            state.withLock { $0.alarm?.cancel() }
            group.cancelAll()
        }
    }

    /// Acts on some runs of every batch; returns whether there may be more to do at once.
    private func work(_ host: WorkflowHost) async throws -> Bool {
        state.withLock { $0.isHeld = false }
        var hasMore = false
        var next: Timestamp?
        let open = try await host.journal.batches(namespace: host.namespace, isFinal: false, limit: 500)
        for batch in open where batch.status == .running {
            try Task.checkCancellation()
            let room = try await room(of: batch, host)
            guard room > 0 else {
                if let at = state.withLock({ $0.nextAt[batch.id] }) { next = min(next ?? at, at) }
                continue
            }
            let items = try await host.journal.batchItems(
                BatchItemQuery(batch: batch.id, state: .pending, limit: room))
            try await act(items, of: batch, host)
            hasMore = hasMore || !items.isEmpty
        }
        if !hasMore, let next { wake(at: next, host) }
        return hasMore
    }

    /// How many runs the batch may act on now.
    private func room(of batch: Batch, _ host: WorkflowHost) async throws -> Int {
        var room = BatchRunner.pageSize
        if let perMinute = batch.perMinute {
            let now = host.ambient.now
            let isEarly = state.withLock { state in
                if let at = state.nextAt[batch.id], now < at { return true }
                state.nextAt[batch.id] = now.adding(milliseconds: 60_000 / Int64(perMinute))
                return false
            }
            if isEarly { return 0 }
            room = 1
        }
        if let atOnce = batch.atOnce {
            // Held before it is counted, so that an end in between is not missed.
            state.withLock { $0.isHeld = true }
            room = min(room, atOnce - (try await host.journal.activeRuns(batch: batch.id)))
        }
        return room
    }

    private func act(_ items: [BatchItem], of batch: Batch, _ host: WorkflowHost) async throws {
        guard let request = RunRequest(batch) else { return }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for item in items {
                group.addTask { try await self.act(on: item.run, request, batch, host) }
            }
            try await group.waitForAll()
        }
    }

    private func act(
        on run: String, _ request: RunRequest, _ batch: Batch, _ host: WorkflowHost
    ) async throws {
        do {
            _ = try await host.act(on: run, request, by: batch.by, reason: batch.reason, batch: batch.id)
        } catch let error as HostError where error.status < 500 {
            let told: JSON = ["code": .string(error.code), "message": .string(error.message)]
            try await host.journal.refuseItem(
                batch: batch.id, run: run, error: told.bytes, now: host.ambient.now)
        }
    }

    private func wake(at moment: Timestamp, _ host: WorkflowHost) {
        let task = Task { [ambient = host.ambient] in
            guard (try? await ambient.sleep(until: moment)) != nil else { return }
            self.poke()
        }
        state.withLock { state in
            state.alarm?.cancel()
            state.alarm = task
        }
    }
}

extension RunRequest {
    /// What a batch does to each run.
    fileprivate init?(_ batch: Batch) {
        let version = (try? JSON(parsing: batch.options))?["version"]?.string
        let known = WorkflowHost.batchActions.first { request in
            guard case .retry(let wanted) = request else { return request.name == batch.action }
            return batch.action == "retry" && wanted.rawValue == version
        }
        guard let known else { return nil }
        self = known
    }
}
