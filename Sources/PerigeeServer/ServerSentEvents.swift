import HTTPTypes
import Hummingbird
import NIOCore
import Perigee
import PerigeeJournal
import ServiceLifecycle

/// One message of a live stream (text/event-stream, WHATWG HTML).
struct ServerSentEvent: Hashable {
    var event: String?
    var id: String?
    var data: JSON

    var text: String {
        var lines = ""
        if let event { lines += "event: \(event)\n" }
        if let id { lines += "id: \(id)\n" }
        return lines + "data: \(data.text)\n\n"
    }
}

/// What wakes a live stream.
enum StreamSignal: Sendable {
    case activity(HostActivity)
    /// Nothing happened for a while: time to see whether the reader is still there.
    case silence
}

/// An answer that goes on until the reader leaves, the server stops, or there is nothing more to say.
///
/// - Parameters:
///   - signals: opens what wakes the stream; it is opened before the first call of `next`, so that nothing
///     that happens in between is missed.
///   - next: what to send for a signal, `nil` once when the stream begins; `isLast` ends the stream.
func eventStream(
    clock: any Ambient, signals: @escaping @Sendable () -> AsyncStream<HostActivity>,
    next: @escaping @Sendable (StreamSignal?) async throws -> (events: [ServerSentEvent], isLast: Bool)
) -> Response {
    let body = ResponseBody { writer in
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (merged, continuation) = AsyncStream<StreamSignal>.makeStream(
                bufferingPolicy: .bufferingNewest(1024))
            let activity = signals()
            group.addTask {
                for await event in activity { continuation.yield(.activity(event)) }
                continuation.finish()
            }
            group.addTask {
                while !Task.isCancelled {
                    try await clock.sleep(until: clock.now.adding(milliseconds: 15_000))
                    continuation.yield(.silence)
                }
            }
            var isOver = try await send(try await next(nil), to: &writer, after: "retry: 2000\n\n")
            var wakes = merged.cancelOnGracefulShutdown().makeAsyncIterator()
            while !isOver, let signal = await wakes.next() {
                let beat = if case .silence = signal { ":\n\n" } else { "" }
                isOver = try await send(try await next(signal), to: &writer, after: beat)
            }
            group.cancelAll()
        }
        try await writer.finish(nil)
    }
    // X-Accel-Buffering tells a proxy in front of the server to pass each message on at once.
    var headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-store"]
    if let name = HTTPField.Name("X-Accel-Buffering") { headers[name] = "no" }
    return Response(status: .ok, headers: headers, body: body)
}

/// Writes a stream's next part; whether it was the last one.
private func send(
    _ step: (events: [ServerSentEvent], isLast: Bool), to writer: inout any ResponseBodyWriter,
    after prefix: String
) async throws -> Bool {
    let text = prefix + step.events.map(\.text).joined()
    if !text.isEmpty { try await writer.write(ByteBuffer(string: text)) }
    return step.isLast
}

extension HostActivity {
    /// The run whose records changed.
    var changedRun: String? {
        if case .runChanged(let id) = self { id } else { nil }
    }

    /// Whether the list of workflows is another one now.
    var changesWorkflows: Bool {
        switch self {
        case .scriptLoaded, .scriptRefused, .scriptDeleted: true
        default: false
        }
    }
}
