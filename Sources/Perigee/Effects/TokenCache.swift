import PerigeeJournal
import Synchronization

/// Access tokens, in memory alone.
///
/// For each client one is fetched at a time, and all that wait for it share it.
final class TokenCache: Sendable {
    /// A fetch under way, and how it ended; a fetch that was cancelled ends with nothing.
    private final class Fetch: Sendable {
        let done = Readiness()
        let result = Mutex<Result<String, HTTPFailure>?>(nil)
    }

    private struct State {
        var tokens: [ClientCredentials: (text: String, until: Timestamp)] = [:]
        var fetches: [ClientCredentials: Fetch] = [:]
    }

    private enum Turn {
        case known(String)
        case wait(Fetch)
        case fetch(Fetch)
    }

    private let state = Mutex(State())

    /// A token that is good for some time to come.
    ///
    /// - Parameter fetch: asks for a new one.
    /// - Returns: the token, or why there is none.
    func token(
        for credentials: ClientCredentials, now: () -> Timestamp,
        fetch: () async -> Result<AccessToken, HTTPFailure>
    ) async throws(CancellationError) -> Result<String, HTTPFailure> {
        while true {
            switch turn(credentials, now()) {
            case .known(let token): return .success(token)
            case .wait(let other):
                await other.done.wait()
                if Task.isCancelled { throw CancellationError() }
                if let result = other.result.withLock({ $0 }) { return result }
            case .fetch(let own):
                let asked = now()
                let result = await fetch()
                let isCancelled = Task.isCancelled
                if !isCancelled { own.result.withLock { $0 = result.map(\.text) } }
                state.withLock { state in
                    state.fetches[credentials] = nil
                    guard case .success(let token) = result else { return }
                    state.tokens = state.tokens.filter { asked < $0.value.until }
                    // A minute, or a tenth of a short life, is left for the call itself.
                    let seconds = token.seconds - min(60, token.seconds / 10)
                    state.tokens[credentials] = (token.text, asked.adding(milliseconds: seconds * 1000))
                }
                own.done.open()
                if isCancelled { throw CancellationError() }
                return result.map(\.text)
            }
        }
    }

    /// Forgets a token that was refused, unless another took its place.
    func drop(_ token: String, of credentials: ClientCredentials) {
        state.withLock { state in
            if state.tokens[credentials]?.text == token { state.tokens[credentials] = nil }
        }
    }

    private func turn(_ credentials: ClientCredentials, _ now: Timestamp) -> Turn {
        state.withLock { state in
            if let token = state.tokens[credentials], now < token.until { return .known(token.text) }
            if let other = state.fetches[credentials] { return .wait(other) }
            let own = Fetch()
            state.fetches[credentials] = own
            return .fetch(own)
        }
    }
}
