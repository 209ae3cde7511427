extension MemoryState {
    /// A lock that a run holds.
    struct Hold {
        var namespace: String
        var key: String
        var run: Int64
        /// The wait by which the run got it.
        var wait: String
        var step: StepAddress
        var since: Timestamp
    }

    /// A wait for a lock: it is granted at once if nobody holds the lock, and queues up otherwise.
    mutating func openForLock(_ number: Int64, _ wait: Wait, key: String, at: Timestamp) {
        let name = Name(namespace: self[number].record.namespace, first: key)
        if locks.contains(where: { $0.namespace == name.namespace && $0.key == key }) {
            lockQueues[name, default: []].append(wait.id)
        } else {
            _ = grant(key, to: wait.id, at: at)
        }
    }

    private mutating func grant(_ key: String, to wait: String, at: Timestamp) -> Bool {
        guard let number = waitRuns[wait],
            let step = self[number].waits.first(where: { $0.wait.id == wait })?.wait.address
        else { return false }
        locks.append(
            Hold(
                namespace: self[number].record.namespace, key: key, run: number, wait: wait, step: step,
                since: at))
        return answer(wait, payload: JSON.bool(true).bytes, at: at)
    }

    /// Gives a lock back; the next that waits for it gets it.
    ///
    /// - Returns: whether a run can be claimed now that could not before.
    mutating func release(_ hold: Hold, at: Timestamp) -> Bool {
        locks.removeAll { $0.wait == hold.wait }
        let name = Name(namespace: hold.namespace, first: hold.key)
        guard var queue = lockQueues.removeValue(forKey: name), !queue.isEmpty else { return false }
        let next = queue.removeFirst()
        if !queue.isEmpty { lockQueues[name] = queue }
        return grant(hold.key, to: next, at: at)
    }

    mutating func release(_ number: Int64, _ wait: String, at: Timestamp) -> Bool {
        guard let hold = locks.first(where: { $0.run == number && $0.wait == wait }) else { return false }
        return release(hold, at: at)
    }

    /// Takes a wait out of the queue for a lock.
    mutating func leaveQueue(_ number: Int64, _ wait: String, key: String) {
        let name = Name(namespace: self[number].record.namespace, first: key)
        lockQueues[name]?.removeAll { $0 == wait }
        if lockQueues[name]?.isEmpty ?? false { lockQueues[name] = nil }
    }

    func awaitedLocks(_ number: Int64) -> [AwaitedLock] {
        self[number].waits.compactMap { open in
            guard open.answer == nil, case .lock(let key) = open.wait.kind else { return nil }
            let namespace = self[number].record.namespace
            let holder = locks.first { $0.namespace == namespace && $0.key == key }
            let queue = lockQueues[Name(namespace: namespace, first: key)] ?? []
            return AwaitedLock(
                key: key, holder: holder.map { self[$0.run].record.id } ?? "",
                ahead: queue.firstIndex(of: open.wait.id) ?? 0)
        }
    }
}
