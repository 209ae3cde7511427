import PerigeeJournal

/// When a failed attempt is followed by another, and after how long.
struct RetryPolicy: Sendable {
    var maxAttempts: Int64 = 5
    var initialMilliseconds: Int64 = 1000
    var coefficient = 2.0
    var maxMilliseconds: Int64 = 300_000
    /// How much of a delay is left to chance, 0 to 1.
    var jitter = 0.2
    /// After how long no further attempt is made, in milliseconds from the first; `nil` for no bound.
    var maxDurationMilliseconds: Int64?
    /// The delays one by one; when set, they decide instead of the numbers above.
    var delays: [Int64]?
    /// Statuses (429), classes ("5xx"), "network" and "timeout".
    var on: Set<JSON> = [408, 425, 429, "5xx", "network", "timeout"]

    /// Statuses that are final, whatever `on` says.
    private var final: Set<Int> = []

    /// The longest `Retry-After` that is honoured, in milliseconds.
    static let maxRetryAfter: Int64 = 3_600_000

    /// The delays of Standard Webhooks: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h.
    private static let webhookDelays: [Int64] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
        .map { $0 * 1000 }

    /// Reads `retry = {…}`, as the stdlib gave it.
    ///
    /// - Parameter isWebhook: whether everything but success and 410 is worth another attempt.
    init(_ given: JSON?, isWebhook: Bool = false) throws(ScriptError) {
        if isWebhook {
            on = ["3xx", "4xx", "5xx", "network", "timeout"]
            final = [410]
        }
        guard let given else {
            guard isWebhook else { return }
            delays = RetryPolicy.webhookDelays
            maxAttempts = Int64(RetryPolicy.webhookDelays.count) + 1
            return
        }
        if let list = given["delays"]?.array {
            delays = list.compactMap(\.int)
            maxAttempts = Int64(list.count) + 1
        }
        if let value = given["max_attempts"]?.int { maxAttempts = min(value, 1000) }
        if let value = given["initial_milliseconds"]?.int { initialMilliseconds = value }
        if let value = given["max_milliseconds"]?.int { maxMilliseconds = value }
        maxDurationMilliseconds = given["max_duration_milliseconds"]?.int
        if let value = given["backoff_coefficient"]?.double { coefficient = value }
        if let value = given["jitter"]?.double { jitter = value }
        if let value = given["on"]?.array { on = Set(value) }
        guard coefficient >= 1, jitter >= 0, jitter <= 1 else {
            throw ScriptError(
                code: "PG1011", kind: "script",
                message: "retry: `backoff_coefficient` must be 1 or more, and `jitter` from 0 to 1.",
                hint: "The defaults are 2 and 0.2.")
        }
    }

    /// Whether this kind of failure is worth another attempt.
    ///
    /// - Parameters:
    ///   - status: the reply's status, if there was a reply.
    ///   - kind: `network` or `timeout` if there was none.
    func retries(status: Int?, kind: String) -> Bool {
        guard let status else { return on.contains(.string(kind)) }
        guard !final.contains(status) else { return false }
        return on.contains(.int(Int64(status))) || on.contains(.string("\(status / 100)xx"))
    }

    /// How long to wait after an attempt, in milliseconds; `nil` if it was the last.
    ///
    /// - Parameters:
    ///   - attempt: the attempt that failed, from 1.
    ///   - retryAfter: what the receiver asked for, in milliseconds.
    ///   - random: 64 random bits for the jitter.
    func delay(after attempt: Int, retryAfter: Int64?, random: UInt64) -> Int64? {
        guard Int64(attempt) < maxAttempts else { return nil }
        var delay: Double
        if let delays {
            delay = Double(delays[attempt - 1])
        } else {
            var grown = Double(initialMilliseconds)
            for _ in 1..<max(attempt, 1) where grown < Double(maxMilliseconds) { grown *= coefficient }
            let fraction = Double(random >> 11) / Double(1 << 53)
            delay = min(grown, Double(maxMilliseconds)) * (1 + jitter * (2 * fraction - 1))
        }
        if let retryAfter { delay = max(delay, Double(min(retryAfter, RetryPolicy.maxRetryAfter))) }
        return Int64(max(0, min(delay, 9e15)))
    }
}
