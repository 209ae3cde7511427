extension MemoryState {
    func entries(run number: Int64, after: Int, limit: Int) -> [Entry] {
        guard number >= 1, number <= runs.count else { return [] }
        return Array(self[number].entries.drop { $0.sequence <= after }.prefix(limit))
    }

    func runs(_ query: RunQuery) -> RunPage {
        let found = runs.reversed().filter { run in
            let record = run.record
            return record.namespace == query.namespace
                && (query.statuses.isEmpty || query.statuses.contains(record.status))
                && (query.workflows.isEmpty || query.workflows.contains(record.workflow))
                && (query.key == nil || query.key == record.key)
                && query.cursor.map { record.number < $0 } ?? true
        }
        let page = found.prefix(query.limit).map(\.shown)
        return RunPage(runs: page, nextCursor: found.count > query.limit ? page.last?.number : nil)
    }

    mutating func saveVersion(
        namespace: String, workflow: String, bundle: String, files: [String: String], now: Timestamp
    ) -> WorkflowVersion {
        let name = Name(namespace: namespace, first: workflow)
        if let newest = versions[name]?.last, newest.bundle == bundle { return newest }
        let version = WorkflowVersion(
            namespace: namespace, workflow: workflow, number: (versions[name]?.last?.number ?? 0) + 1,
            bundle: bundle, createdAt: now)
        versions[name, default: []].append(version)
        if bundles[bundle] == nil { bundles[bundle] = files }
        return version
    }
}
