extension MemoryState {
    /// A schedule and the runs that it started, by number.
    struct Schedule {
        /// Its ``ScheduleRecord/openRuns`` stay empty here; `shown` fills them in.
        var record: ScheduleRecord
        var runs: Set<Int64> = []
    }

    func schedules(namespace: String) -> [ScheduleRecord] {
        schedules.filter { $0.key.namespace == namespace }.sorted { $0.key.first < $1.key.first }
            .map { shown($0.value) }
    }

    private func shown(_ schedule: Schedule) -> ScheduleRecord {
        var record = schedule.record
        let open = openRuns(of: schedule).prefix(ScheduleRecord.mostOpenRuns)
        record.openRuns = open.map { self[$0].record.id }
        return record
    }

    private func openRuns(of schedule: Schedule) -> [Int64] {
        schedule.runs.filter { !self[$0].record.status.isFinal && self[$0].record.status != .attention }
            .sorted()
    }

    mutating func advance(
        _ advance: ScheduleAdvance, now: Timestamp
    ) throws(JournalError) -> ScheduleReceipt? {
        let wanted = advance.schedule
        let name = Name(namespace: wanted.namespace, first: wanted.id)
        guard wanted.revision == schedules[name]?.record.revision ?? 0 else { return nil }
        if let fault = advance.fault { throw fault }
        var schedule = schedules[name] ?? Schedule(record: wanted)
        let others = advance.terminates == nil ? [] : openRuns(of: schedule)
        let submission = Submission(namespace: wanted.namespace, starts: advance.starts)
        let receipt = advance.starts.isEmpty ? nil : try submit(submission, now: now).receipt
        let runs = receipt?.runs ?? []
        for other in others {
            end(other, .terminated, output: nil, error: advance.terminates, at: now)
        }
        schedule.record = wanted
        if let taken = receipt?.refused.last { schedule.record.note = taken.sentence }
        schedule.record.revision += 1
        schedule.record.openRuns = []
        schedule.runs.formUnion(runs.compactMap { runNumbers[$0] })
        schedule.runs = schedule.runs.filter { !self[$0].record.status.isFinal }
        schedules[name] = schedule
        return ScheduleReceipt(
            schedule: shown(schedule), runs: runs, terminated: others.map { shown($0) },
            cancelled: receipt?.cancelled ?? [])
    }
}
