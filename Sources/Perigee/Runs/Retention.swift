import Logging
import PerigeeJournal

/// Removes what has been kept long enough, a little at a time, beside the work on runs.
struct Retention {
    /// How many rows one transaction removes or looks at.
    private static let batch = 1000
    /// Between two batches, so that others have the writer meanwhile.
    private static let pauseMilliseconds: Int64 = 50
    /// Between two looks once there is nothing left to remove.
    private static let restMilliseconds: Int64 = 3_600_000

    let host: WorkflowHost

    /// Works until the task is cancelled; what fails is tried again at the next look.
    func run() async {
        var expiry = Expiry(namespace: host.namespace, keep: host.options.keep, limit: Retention.batch)
        repeat {
            do {
                let removal = try await host.journal.removeExpired(expiry, now: host.ambient.now)
                expiry.afterEvent = removal.afterEvent
                if removal.runs + removal.events > 0 {
                    host.logger.debug("removed \(removal.runs) runs and \(removal.events) events")
                }
            } catch {
                expiry.afterEvent = nil
                host.logger.error("old runs can't be removed; trying again in an hour: \(error)")
            }
        } while await pause(isDone: expiry.afterEvent == nil)
    }

    private func pause(isDone: Bool) async -> Bool {
        let length = isDone ? Retention.restMilliseconds : Retention.pauseMilliseconds
        return (try? await host.ambient.sleep(until: host.ambient.now.adding(milliseconds: length))) != nil
    }
}
