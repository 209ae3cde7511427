/// Runs that wait for others: for earlier ones with their key, and for a slot of their workflow.
extension MemoryState {
    func isInLine(_ number: Int64) -> Bool {
        switch self[number].turn {
        case .waitsForTime?, .waitsForKey?, .waitsForSlot?: true
        case .holdsSlot?, nil: false
        }
    }

    func keyName(_ number: Int64) -> Name? {
        let record = self[number].record
        return record.key.map { Name(namespace: record.namespace, first: record.workflow, second: $0) }
    }

    func lineName(_ number: Int64) -> Name? {
        let record = self[number].record
        return self[number].concurrencyKey.map {
            Name(namespace: record.namespace, first: record.workflow, second: $0)
        }
    }

    /// Runs with a key that have not ended, those that came first first.
    func openRuns(_ key: Name) -> [Int64] {
        inOrder(runKeys[key, default: []].filter { !self[$0].record.status.isFinal })
    }

    /// Those that came first first; a run that goes on for another one stands where that stood.
    private func inOrder(_ numbers: [Int64]) -> [Int64] {
        numbers.sorted { (self[$0].place ?? $0, $0) < (self[$1].place ?? $1, $1) }
    }

    /// Runs whose time has come go into their lines.
    mutating func enterLines(of namespace: String, now: Timestamp) {
        let due = wakeable.filter { number in
            self[number].turn == .waitsForTime && self[number].record.namespace == namespace
                && self[number].wakeAt.map { $0 <= now } ?? false
        }
        for number in due.sorted() {
            setWake(number, nil)
            if let key = keyName(number), openRuns(key).first != number {
                self[number].turn = .waitsForKey
            } else {
                _ = passKey(number, now: now)
            }
        }
    }

    /// A run goes on for another one, where that stands in its lines.
    ///
    /// - Returns: whether it can be claimed now.
    mutating func takePlace(_ new: Int64, of old: Int64, now: Timestamp) -> Bool {
        self[new].place = self[old].place ?? old
        if self[new].concurrencyKey == self[old].concurrencyKey {
            return giveTurn(new, self[old].turn, now: now)
        }
        return passKey(new, now: now)
    }

    /// A run has ended: what waited for it goes on.
    ///
    /// - Returns: whether one of them can be claimed now.
    mutating func leaveLines(_ number: Int64, now: Timestamp) -> Bool {
        self[number].turn = nil
        var wakes = false
        if let key = keyName(number), let first = openRuns(key).first, self[first].turn == .waitsForKey {
            wakes = passKey(first, now: now)
        }
        if let line = lineName(number) {
            lines[line]?.removeAll { $0 == number }
            if admit(line, now: now) { wakes = true }
        }
        return wakes
    }

    private mutating func passKey(_ number: Int64, now: Timestamp) -> Bool {
        guard let line = lineName(number) else { return giveTurn(number, nil, now: now) }
        self[number].turn = .waitsForSlot
        return admit(line, now: now)
    }

    /// Gives free slots to those that wait longest.
    ///
    /// - Returns: whether one of them can be claimed now.
    mutating func admit(_ line: Name?, now: Timestamp) -> Bool {
        guard let line else { return false }
        let open = inOrder(lines[line, default: []])
        let limit = concurrencyLimit(line) ?? .max
        let free = max(0, limit - open.count { self[$0].turn == .holdsSlot })
        var wakes = false
        for number in open.filter({ self[$0].turn == .waitsForSlot }).prefix(free)
        where giveTurn(number, .holdsSlot, now: now) { wakes = true }
        return wakes
    }

    mutating func admitAll(of workflow: String, in namespace: String, now: Timestamp) {
        let names = lines.keys.filter { $0.namespace == namespace && $0.first == workflow }
        for name in names { _ = admit(name, now: now) }
    }

    /// A run that is paused keeps its turn for later.
    private mutating func giveTurn(_ number: Int64, _ turn: Turn?, now: Timestamp) -> Bool {
        self[number].turn = turn
        guard self[number].record.status == .queued else { return false }
        setWake(number, now)
        return true
    }

    private func concurrencyLimit(_ line: Name) -> Int? {
        versions[Name(namespace: line.namespace, first: line.first)]?.last?.rules.concurrencyLimit
    }

    /// Why a run can't begin yet.
    func blockage(_ number: Int64) -> Blockage? {
        switch self[number].turn {
        case .waitsForKey?:
            guard let key = keyName(number) else { return nil }
            return Blockage(
                kind: .key, key: key.second, limit: 1,
                runs: ids(Array(openRuns(key).prefix { $0 != number })))
        case .waitsForSlot?:
            guard let line = lineName(number), let limit = concurrencyLimit(line) else { return nil }
            let holders = inOrder(lines[line, default: []]).filter { self[$0].turn == .holdsSlot }
            return Blockage(kind: .concurrency, key: line.second, limit: limit, runs: ids(holders))
        case .waitsForTime?, .holdsSlot?, nil: return nil
        }
    }

    private func ids(_ numbers: [Int64]) -> [String] {
        numbers.prefix(Blockage.mostRuns).map { self[$0].record.id }
    }
}
