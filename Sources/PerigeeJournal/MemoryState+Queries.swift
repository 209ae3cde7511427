extension MemoryState {
    func entries(run number: Int64, after: Int, limit: Int) -> [Entry] {
        guard number >= 1, number <= runs.count else { return [] }
        return Array(self[number].entries.drop { $0.sequence <= after }.prefix(limit))
    }

    func runs(_ query: RunQuery) -> RunPage {
        let found = runs.reversed().filter { run in
            let record = run.record
            return record.namespace == query.namespace && !run.isRemoved
                && (query.statuses.isEmpty || query.statuses.contains(record.status))
                && (query.workflows.isEmpty || query.workflows.contains(record.workflow))
                && (query.key == nil || query.key == record.key)
                && (query.errorCode == nil || query.errorCode == record.errorCode)
                && query.cursor.map { record.number < $0 } ?? true
        }
        let page = found.prefix(query.limit).map { shown($0.record.number) }
        return RunPage(runs: page, nextCursor: found.count > query.limit ? page.last?.number : nil)
    }

    func version(namespace: String, workflow: String, number: Int) -> WorkflowVersion? {
        versions[Name(namespace: namespace, first: workflow)]?.first { $0.number == number }
    }

    mutating func saveVersion(
        namespace: String, workflow: String, bundle: String, files: [String: String],
        rules: WorkflowRules, now: Timestamp
    ) -> WorkflowVersion {
        let name = Name(namespace: namespace, first: workflow)
        var saved = versions[name, default: []]
        if saved.last?.bundle != bundle {
            saved.append(
                WorkflowVersion(
                    namespace: namespace, workflow: workflow, number: (saved.last?.number ?? 0) + 1,
                    bundle: bundle, createdAt: now))
            if bundles[bundle] == nil { bundles[bundle] = files }
        }
        // The same texts may have other rules, as those may come from a setting.
        saved[saved.count - 1].rules = rules
        setBreaker(name, rules.breaker, now: now)
        versions[name] = saved
        admitAll(of: workflow, in: namespace, now: now)
        return saved[saved.count - 1]
    }
}

extension RunRecord {
    /// The `code` of its error.
    fileprivate var errorCode: String? {
        error.flatMap { try? JSON(parsing: $0) }?["code"]?.string
    }
}
