import PerigeeJournal
import Synchronization

/// Keeps calls to one host under a connector's `throttle`: at most so many in any period.
///
/// It counts in this process.
final class Throttle: Sendable {
    private let reserved = Mutex<[String: [Timestamp]]>([:])

    /// Takes the next free place.
    ///
    /// - Returns: the moment at which the call may begin.
    func reserve(_ key: String, _ limit: (limit: Int, milliseconds: Int64), at now: Timestamp) -> Timestamp {
        reserved.withLock { reserved in
            var places = reserved[key] ?? []
            // Only the last `limit` places matter: the next one is free a period after the first of them.
            if places.count > limit.limit { places.removeFirst(places.count - limit.limit) }
            var place = now
            if places.count == limit.limit, let first = places.first {
                place = max(now, first.adding(milliseconds: limit.milliseconds))
            }
            places.append(place)
            reserved[key] = places
            return place
        }
    }
}
