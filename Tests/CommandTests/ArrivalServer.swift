import Foundation
import Hummingbird
import NIOCore
import Synchronization

/// A real HTTP server that notes when each request came, by a clock that nobody sets.
final class ArrivalServer: Sendable {
    struct Arrival: Sendable {
        let path: String
        let at: ContinuousClock.Instant
    }

    private struct State {
        var arrivals: [Arrival] = []
        var isBroken = false
        /// Which request is not answered until it is let go, counted from 1.
        var heldRequest: Int?
        var held: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>
    /// Signaled by every request.
    private let came = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - isBroken: whether it answers 500, until it is mended.
    ///   - heldRequest: which request it does not answer until that is let go, counted from 1.
    init(isBroken: Bool = false, heldRequest: Int? = nil) {
        state = Mutex(State(isBroken: isBroken, heldRequest: heldRequest))
    }

    var arrivals: [Arrival] { state.withLock { $0.arrivals } }

    func mend() { state.withLock { $0.isBroken = false } }

    /// Answers the request that is held.
    func letGo() {
        let held = state.withLock { state in
            state.heldRequest = nil
            defer { state.held = nil }
            return state.held
        }
        held?.resume()
    }

    /// Waits until so many requests came in all; only one thread may wait, and for more each time.
    func wait(untilCount count: Int) throws {
        while arrivals.count < count {
            guard came.wait(timeout: .now() + 60) == .success else { throw Silence(arrivals: arrivals.count) }
        }
    }

    struct Silence: Error { let arrivals: Int }

    /// Listens on a free port while the body runs, which is on a thread of its own and may block it.
    func run(_ body: @escaping @Sendable (_ port: Int) throws -> Void) async throws {
        let router = Router()
        router.post("/:run") { request, context in
            await self.answer(Arrival(path: request.uri.path, at: .now))
        }
        try await listen(router) { port in
            try await withCheckedThrowingContinuation { (end: CheckedContinuation<Void, any Error>) in
                DispatchQueue.global().async { end.resume(with: Result { try body(port) }) }
            }
        }
    }

    private func answer(_ arrival: Arrival) async -> Response {
        var isBroken = false
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                state.arrivals.append(arrival)
                isBroken = state.isBroken
                guard state.arrivals.count == state.heldRequest else { return false }
                state.held = continuation
                return true
            }
            came.signal()
            if !isHeld { continuation.resume() }
        }
        return Response(
            status: isBroken ? .internalServerError : .ok,
            body: ResponseBody(byteBuffer: ByteBuffer(string: "{}")))
    }
}
