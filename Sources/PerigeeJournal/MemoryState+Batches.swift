extension MemoryState {
    mutating func createBatch(_ batch: Batch, runs ids: [String]) throws(JournalError) -> Batch {
        guard batches[batch.id] == nil else { throw .invalid("the batch id \(batch.id) is taken") }
        var seen: Set<String> = []
        let items = ids.filter { seen.insert($0).inserted }.enumerated().map {
            BatchItem(place: $0 + 1, run: $1)
        }
        var batch = batch
        batch.status = items.isEmpty ? .completed : .running
        batch.endedAt = items.isEmpty ? batch.createdAt : nil
        batch.counts = Batch.Counts(pending: items.count)
        batches[batch.id] = batch
        batchItems[batch.id] = items
        batchOrder.append(batch.id)
        record(
            AuditRecord(
                number: 0, at: batch.createdAt, namespace: batch.namespace, by: batch.by,
                action: "batch.\(batch.action)", batch: batch.id, reason: batch.reason, after: batch.summary))
        return batch
    }

    mutating func steerBatch(
        _ id: String, to status: Batch.Status, note: ActionNote, now: Timestamp
    ) -> (batch: Batch, isChanged: Bool)? {
        guard var batch = batches[id] else { return nil }
        guard batch.canBecome(status) else { return (batch, false) }
        let before = batch.summary
        batch.status = status
        if status.isFinal { batch.endedAt = now }
        batches[id] = batch
        record(
            AuditRecord(
                number: 0, at: now, namespace: batch.namespace, by: note.by, action: note.action, batch: id,
                reason: note.reason, before: before, after: batch.summary))
        return (batch, true)
    }

    /// Whether a running batch has not acted on a run.
    func isPending(_ batch: String, run: String) -> Bool {
        batches[batch]?.status == .running
            && batchItems[batch, default: []].contains { $0.run == run && $0.state == .pending }
    }

    mutating func refuseItem(batch: String, run: String, error: Payload, now: Timestamp) {
        guard isPending(batch, run: run) else { return }
        finishItem(batch, run: run, .refused, error: error, now: now)
    }

    mutating func finishItem(
        _ id: String, run: String, _ state: BatchItem.State, error: Payload?, now: Timestamp
    ) {
        guard var batch = batches[id], var items = batchItems[id],
            let index = items.firstIndex(where: { $0.run == run })
        else { return }
        items[index].state = state
        items[index].at = now
        items[index].error = error
        batchItems[id] = items
        batch.counts.pending -= 1
        if state == .done { batch.counts.done += 1 } else { batch.counts.refused += 1 }
        if batch.counts.pending == 0 {
            batch.status = .completed
            batch.endedAt = now
        }
        batches[id] = batch
    }

    func batches(namespace: String, isFinal: Bool?, limit: Int) -> [Batch] {
        let found = batchOrder.reversed().compactMap { batches[$0] }.filter {
            $0.namespace == namespace && (isFinal == nil || $0.status.isFinal == isFinal)
        }
        return Array(found.prefix(limit))
    }

    func items(_ query: BatchItemQuery) -> [BatchItem] {
        let found = batchItems[query.batch, default: []].filter {
            $0.place > query.after && (query.state == nil || $0.state == query.state)
        }
        return Array(found.prefix(query.limit))
    }

    func activeRuns(batch: String) -> Int {
        batchItems[batch, default: []].count { item in
            guard item.state == .done, let number = runNumbers[item.run] else { return false }
            return [.queued, .running].contains(self[number].record.status)
        }
    }
}
