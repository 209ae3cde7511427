import PerigeeJournal

/// Runs that a host has taken and does not work on yet, in the order in which they came; those whose time runs first.
struct RunLine {
    private var runs: [Int64: ClaimedRun] = [:]
    private var urgent = Order()
    private var others = Order()

    /// Numbers of runs; those that have left are passed over.
    private struct Order {
        var numbers: [Int64] = []
        var first = 0

        mutating func next() -> Int64? {
            guard first < numbers.count else {
                self = Order()
                return nil
            }
            defer {
                first += 1
                if first > 1024, first > numbers.count / 2 {
                    numbers.removeFirst(first)
                    first = 0
                }
            }
            return numbers[first]
        }
    }

    /// Adds a run at the end, or puts what is newer about it in its place.
    ///
    /// - Returns: what stood there before.
    @discardableResult
    mutating func add(_ claimed: ClaimedRun) -> ClaimedRun? {
        let before = runs.updateValue(claimed, forKey: claimed.run.number)
        guard before == nil else { return before }
        if claimed.run.deadlineAt == nil {
            others.numbers.append(claimed.run.number)
        } else {
            urgent.numbers.append(claimed.run.number)
        }
        return nil
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

    /// Takes the one whose turn it is.
    mutating func next() -> ClaimedRun? {
        while let number = urgent.next() ?? others.next() {
            if let claimed = runs.removeValue(forKey: number) { return claimed }
        }
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
