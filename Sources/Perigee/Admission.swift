/// Decides which new work goes to the store now, which waits for its turn, and which is refused.
///
/// Only so much is at the store at once that the commits of runs in flight never wait for long behind it. What waits
/// is let through in order of arrival. More is refused only while something waits, so that a request of any size is
/// taken by a host that has nothing to do.
struct Admission {
    /// An amount of work: events and starts, and the bytes of their data.
    struct Size: Equatable {
        var members: Int
        var bytes: Int

        static func + (one: Size, other: Size) -> Size {
            Size(members: one.members + other.members, bytes: one.bytes + other.bytes)
        }

        static func - (one: Size, other: Size) -> Size {
            Size(members: one.members - other.members, bytes: one.bytes - other.bytes)
        }

        func fits(_ limit: Size) -> Bool { members <= limit.members && bytes <= limit.bytes }
    }

    struct Limits {
        /// The most that waits.
        var waiting: Size
        /// How long it may take, as far as can be told, until what joins is written.
        var wait: Duration
    }

    enum Decision: Equatable {
        case goes
        /// It waits; ``leave(_:at:)`` names the ticket when its turn has come.
        case waits(ticket: Int)
        /// - Parameter after: whole seconds, 1 or more, until it is worth trying again.
        case refused(after: Int)
    }

    /// The most that is at the store at once: two of its transactions, so that one fills while the other is synced.
    static let mostAtStore = Size(members: 1024, bytes: 16 << 20)
    private static let longestRetry = 60

    private let limits: Limits
    private var atStore = Size(members: 0, bytes: 0)
    /// What waits, by tickets that follow each other.
    private var line: [Int: Waiting] = [:]
    private var first = 0
    /// How long the store took for each member, as the last one in line saw it whose turn has come.
    private var pace = Duration.zero
    private(set) var waiting = Size(members: 0, bytes: 0)

    private struct Waiting {
        var size: Size
        var since: ContinuousClock.Instant
        /// How many members were before it, in line and at the store.
        var ahead: Int
    }

    init(limits: Limits) {
        self.limits = limits
    }

    mutating func enter(_ size: Size, at now: ContinuousClock.Instant) -> Decision {
        if line.isEmpty, hasRoom(for: size) {
            atStore = atStore + size
            return .goes
        }
        if let seconds = retryAfter(size, at: now) { return .refused(after: seconds) }
        let ticket = first + line.count
        line[ticket] = Waiting(size: size, since: now, ahead: max(1, (atStore + waiting).members))
        waiting = waiting + size
        return .waits(ticket: ticket)
    }

    /// Whether so much would be refused: in how many seconds it is worth trying again; `nil` if it would not.
    func retryAfter(_ size: Size, at now: ContinuousClock.Instant) -> Int? {
        guard let since = line[first]?.since else { return nil }
        // The pace is that of the past: a store that stands still shows by how long the first has waited.
        let wait = max(since.duration(to: now), pace * (atStore + waiting).members)
        guard wait > limits.wait || !(waiting + size).fits(limits.waiting) else { return nil }
        return min(max(1, Int((wait / .seconds(1)).rounded(.up))), Self.longestRetry)
    }

    /// Takes note that something is no longer at the store.
    ///
    /// - Returns: the tickets that go to the store now.
    mutating func leave(_ size: Size, at now: ContinuousClock.Instant) -> Range<Int> {
        atStore = atStore - size
        let start = first
        while let next = line[first], hasRoom(for: next.size) {
            line[first] = nil
            pace = next.since.duration(to: now) / next.ahead
            waiting = waiting - next.size
            atStore = atStore + next.size
            first += 1
        }
        return start..<first
    }

    private func hasRoom(for size: Size) -> Bool {
        atStore.members == 0 || (atStore + size).fits(Self.mostAtStore)
    }
}
