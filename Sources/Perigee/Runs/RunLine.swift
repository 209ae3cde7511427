import PerigeeJournal

/// Runs that a host has taken and does not work on yet, in the order in which they came.
struct RunLine {
    private var runs: [Int64: ClaimedRun] = [:]
    private var order: [Int64] = []
    private var first = 0

    /// Adds a run at the end, or puts what is newer about it in its place.
    ///
    /// - Returns: what stood there before.
    @discardableResult
    mutating func add(_ claimed: ClaimedRun) -> ClaimedRun? {
        let before = runs.updateValue(claimed, forKey: claimed.run.number)
        if before == nil { order.append(claimed.run.number) }
        return before
    }

    subscript(number: Int64) -> ClaimedRun? { runs[number] }

    mutating func remove(_ number: Int64) -> ClaimedRun? {
        // Its place in the order is passed over.
        runs.removeValue(forKey: number)
    }

    mutating func removeAll() -> [ClaimedRun] {
        defer { self = RunLine() }
        return Array(runs.values)
    }

    /// Takes the one that came first.
    mutating func next() -> ClaimedRun? {
        while first < order.count {
            let claimed = runs.removeValue(forKey: order[first])
            first += 1
            if first > 1024, first > order.count / 2 {
                order.removeFirst(first)
                first = 0
            }
            if let claimed { return claimed }
        }
        order.removeAll()
        first = 0
        return nil
    }
}

extension ClaimedRun {
    /// The run as it is here, with what had come for it before if that was in the same epoch.
    func joining(_ earlier: ClaimedRun?) -> ClaimedRun {
        guard let earlier, earlier.run.epoch == run.epoch else { return self }
        var joined = self
        joined.answers = earlier.answers
        joined.answers += answers.filter { new in !earlier.answers.contains { $0.wait == new.wait } }
        return joined
    }
}
