import Logging
import PerigeeJournal

/// Removes what has been kept long enough, a little at a time, beside the work on runs.
struct Retention {
    /// How many rows one transaction removes or looks at.
    private static let batch = 1000
    /// Between two batches, twice as long as the last one took: others have the writer for most of the time, and what
    /// becomes old is still removed as fast as it can have been made.
    private static let pauseMilliseconds: ClosedRange<Int64> = 2...100
    /// Between two looks once there is nothing left to remove, and while more becomes old all the time.
    private static let restMilliseconds: Int64 = 3_600_000
    private static let shortRestMilliseconds: Int64 = 60_000

    let host: WorkflowHost

    /// Works until the task is cancelled; what fails is tried again at the next look.
    func run() async {
        var expiry = Expiry(namespace: host.namespace, keep: host.options.keep, limit: Retention.batch)
        var rest: Int64
        var pause: Int64
        repeat {
            let begun = ContinuousClock.now
            rest = expiry.cursor == nil ? Retention.restMilliseconds : Retention.shortRestMilliseconds
            do {
                let removal = try await host.journal.removeExpired(expiry, now: host.ambient.now)
                expiry.cursor = removal.nextCursor
                if removal.runs + removal.events > 0 {
                    host.logger.debug("removed \(removal.runs) runs and \(removal.events) events")
                }
                if expiry.cursor == nil { try await giveBack() }
            } catch {
                expiry.cursor = nil
                host.logger.error("old runs can't be removed; trying again later: \(error)")
            }
            pause = Retention.pause(after: begun.duration(to: .now))
        } while await sleep(expiry.cursor == nil ? rest : pause)
    }

    /// Gives space back that so soon nothing will need.
    private func giveBack() async throws {
        var space = try await host.journal.space()
        guard space.isToBeGivenBack else { return }
        var pause = Retention.pauseMilliseconds.upperBound
        while space.isToBeGivenBack, await sleep(pause) {
            let begun = ContinuousClock.now
            space = try await host.journal.giveBack(bytes: WorkflowHost.giveBackStep)
            pause = Retention.pause(after: begun.duration(to: .now))
        }
        _ = try await host.journal.copyLog()
    }

    private static func pause(after work: Duration) -> Int64 {
        min(
            max(Int64(work * 2 / .milliseconds(1)), pauseMilliseconds.lowerBound),
            pauseMilliseconds.upperBound)
    }

    private func sleep(_ milliseconds: Int64) async -> Bool {
        (try? await host.ambient.sleep(until: host.ambient.now.adding(milliseconds: milliseconds))) != nil
    }
}

extension StoreSpace {
    /// Whether more is free than what new runs are likely to take soon: a quarter of what is in use.
    ///
    /// To give that back would only mean to ask for it again.
    fileprivate var isToBeGivenBack: Bool { givesBack && free - used / 4 >= WorkflowHost.giveBackStep }
}
