/// What is done to many runs, one after the other.
public struct Batch: Hashable, Sendable {
    public enum Status: String, CaseIterable, Sendable {
        case running, paused
        /// Every run was acted on.
        case completed
        /// A person ended it before.
        case aborted

        /// Whether nothing more is done.
        public var isFinal: Bool { self == .completed || self == .aborted }
    }

    /// The public id, `bat_` and 26 characters that sort by time.
    public var id: String
    public var namespace: String
    /// What is done to each run: `retry`, `cancel`, `terminate`, `pause`, `resume`.
    public var action: String
    /// How it is done, as a JSON object (`{"version":"newest"}`).
    public var options: Payload
    /// The search that the runs were found by.
    public var search: String
    public var by: String
    public var reason: String?
    /// At most this many of its runs are at work at once; `nil` for any number.
    public var atOnce: Int?
    /// At most this many runs are acted on in a minute; `nil` for any number.
    public var perMinute: Int?
    public var createdAt: Timestamp
    public var status: Status
    public var endedAt: Timestamp?
    /// How many runs it is about, and what became of them.
    public var counts: Counts

    public struct Counts: Hashable, Sendable {
        public var pending: Int
        public var done: Int
        public var refused: Int

        public init(pending: Int, done: Int = 0, refused: Int = 0) {
            self.pending = pending
            self.done = done
            self.refused = refused
        }
    }

    public init(
        id: String, namespace: String, action: String, options: Payload, search: String, by: String,
        reason: String? = nil, atOnce: Int? = nil, perMinute: Int? = nil, createdAt: Timestamp,
        status: Status = .running, endedAt: Timestamp? = nil, counts: Counts = Counts(pending: 0)
    ) {
        self.id = id
        self.namespace = namespace
        self.action = action
        self.options = options
        self.search = search
        self.by = by
        self.reason = reason
        self.atOnce = atOnce
        self.perMinute = perMinute
        self.createdAt = createdAt
        self.status = status
        self.endedAt = endedAt
        self.counts = counts
    }
}

/// One of the runs of a batch.
public struct BatchItem: Hashable, Sendable {
    public enum State: String, CaseIterable, Sendable {
        case pending, done
        /// The run's state did not permit it.
        case refused
    }

    /// Its place in the batch, from 1.
    public var place: Int
    /// The run, by its public id.
    public var run: String
    public var state: State
    public var at: Timestamp?
    /// Why it was refused, as a JSON object `{code, message}`.
    public var error: Payload?

    public init(
        place: Int, run: String, state: State = .pending, at: Timestamp? = nil, error: Payload? = nil
    ) {
        self.place = place
        self.run = run
        self.state = state
        self.at = at
        self.error = error
    }
}

/// Which runs of a batch to list, in the order of their places.
public struct BatchItemQuery: Hashable, Sendable {
    public var batch: String
    /// Only these; `nil` for all.
    public var state: BatchItem.State?
    /// Those after this place.
    public var after: Int
    /// At most this many, 1 to 500.
    public var limit: Int

    public init(batch: String, state: BatchItem.State? = nil, after: Int = 0, limit: Int = 100) {
        self.batch = batch
        self.state = state
        self.after = after
        self.limit = limit
    }
}

extension Batch {
    /// What an audit record keeps of how a batch stands.
    package var summary: Payload {
        let fields: [String: JSON] = [
            "status": .string(status.rawValue), "action": .string(action), "search": .string(search),
            "pending": .int(Int64(counts.pending)), "done": .int(Int64(counts.done)),
            "refused": .int(Int64(counts.refused)),
        ]
        return JSON.object(fields).bytes
    }

    /// Whether a person can bring it from its state into another.
    package func canBecome(_ wanted: Status) -> Bool {
        switch (status, wanted) {
        case (.running, .paused), (.paused, .running), (.running, .aborted), (.paused, .aborted): true
        default: false
        }
    }
}
