extension RunRecord {
    /// Takes over what a commit records and shows of the run.
    mutating func record(_ commit: Commit) {
        if let last = commit.entries.last { entryCount = last.sequence }
        if let tags = commit.tags { self.tags = tags }
        if let text = commit.statusText { statusText = text }
        if let move = commit.move { (version, bundle) = (move.version, move.bundle) }
    }

    /// The run as a commit of its own leaves it, as far as the run alone decides it: what is recorded and shown, and
    /// its end.
    package mutating func apply(_ commit: Commit) {
        record(commit)
        guard case .ended(let status, let output, let error) = commit.next else { return }
        (self.status, self.output, self.error, endedAt) = (status, output, error, commit.at)
        continuedAs = commit.continuation?.id ?? continuedAs
        (owner, cancelRequest, pausedAt) = (nil, nil, nil)
    }
}
