import Foundation
import NIOCore
import PerigeeJournal
import Synchronization

/// Sends events to a server in this process over connections that stay open.
struct EventClient: Sendable {
    let port: Int
    var connections = 64
    /// How many events go into one request; 1 sends each by itself.
    var batch = 1

    /// What came of the requests of some seconds.
    struct Outcome: Sendable {
        var seconds = 0.0
        var sent = 0
        /// Events that were taken.
        var accepted = 0
        /// Requests by status.
        var statuses: [Int: Int] = [:]
        /// Refusals (429) without a header `Retry-After`.
        var refusedWithoutRetryAfter = 0
        /// From sending to the reply, of what was taken, in seconds.
        var latencies: [Double] = []
        /// The replies to what was taken, if they are kept.
        var replies: [ByteBuffer] = []

        var acceptedPerSecond: Double { Double(accepted) / seconds }

        fileprivate mutating func add(_ reply: PostConnection.Reply, events: Int, latency: Double) {
            statuses[reply.status, default: 0] += 1
            if reply.status == 429, !reply.hasRetryAfter { refusedWithoutRetryAfter += 1 }
            guard reply.status == 202 else { return }
            accepted += events
            latencies.append(latency)
        }
    }

    /// Sends the next request on each connection as soon as the one before was answered.
    func closedLoop(seconds: Double) async throws -> Outcome {
        try await outcome { connection, outcome, start in
            while start.age < seconds {
                if try await send(connection, outcome) == 429 { try await Task.sleep(for: .milliseconds(10)) }
            }
        }
    }

    /// Sends requests at a rate, whether those before were answered or not, as far as there are connections.
    ///
    /// - Parameter keepsReplies: whether the outcome has the replies.
    func openLoop(perSecond: Double, seconds: Double, keepsReplies: Bool = false) async throws -> Outcome {
        try await outcome { connection, outcome, start in
            while true {
                let due = Double(outcome.arrivals.add(1, ordering: .relaxed).oldValue) / perSecond
                guard due < seconds, start.age < seconds else { return }
                if due > start.age { try await Task.sleep(until: start + .seconds(due), tolerance: .zero) }
                try await send(connection, outcome, keepsReply: keepsReplies)
            }
        }
    }

    /// Opens all connections, and works on each from the same moment.
    private func outcome(
        _ work: @escaping @Sendable (PostConnection, Collected, ContinuousClock.Instant) async throws -> Void
    ) async throws -> Outcome {
        let collected = Collected()
        let lines = try await withThrowingTaskGroup(of: PostConnection.self) { group in
            for _ in 0..<connections { group.addTask { try await PostConnection.open(port: port) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for line in lines { group.addTask { try await work(line, collected, start) } }
            try await group.waitForAll()
        }
        let seconds = start.age
        for line in lines { try await line.close() }
        var outcome = collected.outcome.withLock { $0 }
        outcome.seconds = seconds
        return outcome
    }

    /// Sends one request; the reply's status.
    @discardableResult
    private func send(
        _ connection: PostConnection, _ collected: Collected, keepsReply: Bool = false
    ) async throws -> Int {
        let begun = ContinuousClock.now
        let reply = try await connection.post("/v1/events", batch == 1 ? EventClient.event : batchBody)
        let latency = begun.age
        let events = batch == 1 ? 1 : EventClient.receipts(in: reply.body)
        collected.outcome.withLock { outcome in
            outcome.sent += batch
            outcome.add(reply, events: events, latency: latency)
            if keepsReply, reply.status == 202 { outcome.replies.append(reply.body) }
        }
        return reply.status
    }

    private final class Collected: Sendable {
        let outcome = Mutex(Outcome())
        /// How many requests were due so far.
        let arrivals = Atomic(0)
    }

    // MARK: Bodies

    private static let event = ByteBuffer(bytes: value.bytes)
    private static let value: JSON = ["type": "bench.event", "data": BenchmarkSteps.input]
    private static let hundred = ByteBuffer(bytes: JSON.array(Array(repeating: value, count: 100)).bytes)

    private var batchBody: ByteBuffer {
        batch == 100
            ? EventClient.hundred
            : ByteBuffer(bytes: JSON.array(Array(repeating: EventClient.value, count: batch)).bytes)
    }

    /// How many members of a batch were taken: a receipt names its event, a problem does not.
    private static func receipts(in body: ByteBuffer) -> Int {
        let name = Array("\"event_id\"".utf8)
        return body.withUnsafeReadableBytes { bytes in
            var count = 0
            var index = 0
            while index + name.count <= bytes.count {
                if bytes[index] == name[0], bytes[index..<index + name.count].elementsEqual(name) {
                    count += 1
                    index += name.count
                } else {
                    index += 1
                }
            }
            return count
        }
    }
}
