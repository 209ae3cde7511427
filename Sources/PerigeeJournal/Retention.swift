/// What a version of a workflow asks of the journal for all runs of the workflow, whatever version they are on.
public struct WorkflowRules: Hashable, Sendable {
    /// How many runs of the same concurrency key may be under way at once, 1 or more; `nil` for any number.
    public var concurrencyLimit: Int?
    /// How long ended runs are kept; `nil` for as long as the host keeps them.
    public var keep: Keep?
    /// When its runs are held back because too many fail; `nil` for never.
    public var breaker: BreakerRule?

    public init(concurrencyLimit: Int? = nil, keep: Keep? = nil, breaker: BreakerRule? = nil) {
        self.breaker = breaker
        self.concurrencyLimit = concurrencyLimit
        self.keep = keep
    }

    /// Throws unless the values are within their bounds.
    package func check() throws(JournalError) {
        if let concurrencyLimit { try checkLimit(concurrencyLimit, 1...Int.max) }
        if case .milliseconds(let span) = keep, span < 0 {
            throw .invalid("runs can't be kept for \(span) milliseconds")
        }
    }
}

/// How long something is kept.
public enum Keep: Hashable, Sendable {
    /// 0 or more.
    case milliseconds(Int64)
    case forever

    /// Reads a duration, or `forever`; `nil` for what is neither.
    public init?(_ text: String) {
        if text == "forever" {
            self = .forever
        } else if let span = DurationText.milliseconds(in: text) {
            self = .milliseconds(span)
        } else {
            return nil
        }
    }

    /// What has ended at this moment or before need not be kept any longer; `nil` if everything is kept.
    package func end(at now: Timestamp) -> Timestamp? {
        switch self {
        case .milliseconds(let span): now.adding(milliseconds: -span)
        case .forever: nil
        }
    }
}

/// Which runs and events a journal is to remove.
public struct Expiry: Hashable, Sendable {
    public var namespace: String
    /// How long ended runs of workflows that ask for nothing else are kept, and events that nothing refers to.
    public var keep: Keep
    /// About how many rows to remove or look at, 1 or more; a run is removed whole even if it has more.
    public var limit: Int
    /// ``Removal/nextCursor`` of the call before; `nil` to begin anew.
    public var cursor: Cursor?

    public init(namespace: String, keep: Keep, limit: Int, cursor: Cursor? = nil) {
        self.namespace = namespace
        self.keep = keep
        self.limit = limit
        self.cursor = cursor
    }

    /// Up to where was looked: first come gates and kept replies, then runs, then events.
    public enum Cursor: Hashable, Sendable {
        /// More gates and kept replies may have to go.
        case idle
        /// The last run that was looked at, of those that have ended in the order of their workflows and ends.
        case run(workflow: String, endedAt: Timestamp, number: Int64)
        /// The number of the last event that was looked at.
        case event(Int64)
    }
}

extension Expiry {
    /// Whether gates and kept replies are looked at.
    package var beginsWithIdle: Bool { cursor == nil || cursor == .idle }

    /// The number of the last event that was looked at before; 0 for none.
    package var eventsAfter: Int64 {
        if case .event(let number)? = cursor { number } else { 0 }
    }
}

/// What was removed.
public struct Removal: Hashable, Sendable {
    public var runs: Int
    public var events: Int
    /// Where to go on; `nil` once everything was looked at.
    public var nextCursor: Expiry.Cursor?

    public init(runs: Int, events: Int, nextCursor: Expiry.Cursor?) {
        self.runs = runs
        self.events = events
        self.nextCursor = nextCursor
    }
}
