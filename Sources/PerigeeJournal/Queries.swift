/// Which runs to list.
///
/// Every set field narrows the list.
public struct RunQuery: Hashable, Sendable {
    public var namespace: String
    /// Any of these; empty for all.
    public var statuses: Set<RunStatus>
    /// Any of these; empty for all.
    public var workflows: Set<String>
    /// Only this business key.
    public var key: String?
    /// Only runs whose error has this code: `PG2014`.
    public var errorCode: String?
    /// At most this many, 1 to 500.
    public var limit: Int
    /// ``RunPage/nextCursor`` of the page before.
    public var cursor: Int64?

    public init(
        namespace: String, statuses: Set<RunStatus> = [], workflows: Set<String> = [], key: String? = nil,
        errorCode: String? = nil, limit: Int = 50, cursor: Int64? = nil
    ) {
        self.namespace = namespace
        self.statuses = statuses
        self.workflows = workflows
        self.key = key
        self.errorCode = errorCode
        self.limit = limit
        self.cursor = cursor
    }
}

/// A page of runs, newest first.
public struct RunPage: Hashable, Sendable {
    public var runs: [RunRecord]
    /// Where the next page begins; `nil` on the last one.
    public var nextCursor: Int64?

    public init(runs: [RunRecord], nextCursor: Int64?) {
        self.runs = runs
        self.nextCursor = nextCursor
    }
}

/// Everything that is recorded of one run.
public struct RunHistory: Hashable, Sendable {
    public var run: RunRecord
    public var entries: [Entry]
    public var annotations: [Annotation]

    public init(run: RunRecord, entries: [Entry], annotations: [Annotation]) {
        self.run = run
        self.entries = entries
        self.annotations = annotations
    }
}
