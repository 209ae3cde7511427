import Logging
import PerigeeJournal

/// Reads the store for runs: while it can't be read they wait, and it is tried again.
struct StoreReader: Sendable {
    let ambient: any Ambient
    let logger: Logger

    /// How long to wait before what the store could not do is tried again, in milliseconds.
    static let retryMilliseconds: Int64 = 1000

    /// Reads until it succeeds.
    ///
    /// - Parameter isPassing: whether an error may be gone a second later.
    /// - Throws: `CancellationError`, and an error that will not pass.
    func read<Value: Sendable>(
        while isPassing: @Sendable (any Error) -> Bool = { _ in true },
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        while true {
            do { return try await body() } catch  where isPassing(error) {
                try Task.checkCancellation()
                logger.error("the database can't be read; trying again in 1 s: \(error)")
                try await ambient.sleep(
                    until: ambient.now.adding(milliseconds: StoreReader.retryMilliseconds))
            }
        }
    }
}
