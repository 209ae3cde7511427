import Perigee
import PerigeeJournal

extension WorkflowHost {
    /// A page of the runs that a search means.
    ///
    /// - Parameters:
    ///   - limit: at most this many, 1 to 500.
    ///   - cursor: where the page begins.
    func runs(_ search: RunSearch, limit: Int, cursor: Int64?) async throws -> RunPage {
        guard let id = search.runID else {
            return try await runs(search.query(namespace: namespace, limit: limit, cursor: cursor))
        }
        let found = try await runs(beginningWith: id)
        return RunPage(runs: Array(found.filter(search.admits).prefix(limit)), nextCursor: nil)
    }

    /// The runs that a short id may mean: the one that has it, or those of the newest 10,000 whose ids begin
    /// with it.
    ///
    /// - Parameter short: an id or its beginning, with or without `run_`.
    func runs(beginningWith short: String) async throws -> [RunRecord] {
        let prefix = short.hasPrefix("run_") ? short : "run_\(short)"
        do {
            return [try await run(id: prefix)]
        } catch let error as HostError where error.status == 404 {
            return try await newestRuns(beginningWith: prefix)
        }
    }

    private func newestRuns(beginningWith prefix: String) async throws -> [RunRecord] {
        var found: [RunRecord] = []
        var cursor: Int64?
        for _ in 0..<20 {
            let page = try await runs(RunQuery(namespace: namespace, limit: 500, cursor: cursor))
            found += page.runs.filter { $0.id.hasPrefix(prefix) }
            guard let next = page.nextCursor else { break }
            cursor = next
        }
        return found
    }

    /// The approvals that a short id may mean, among those that wait first and 500 of all.
    ///
    /// - Parameter short: an id or its beginning, with or without what stands before its first underscore.
    func approvals(beginningWith short: String) async throws -> [ApprovalRecord] {
        do {
            return [try await approval(id: short)]
        } catch let error as HostError where error.status == 404 {
            let waiting = try await approvals(status: .waiting, limit: 500)
            let all =
                waiting + (try await approvals(status: nil, limit: 500)).filter { $0.status != .waiting }
            return all.filter { approval in
                let bare = approval.id.split(separator: "_", maxSplits: 1).last ?? ""
                return approval.id.hasPrefix(short) || bare.hasPrefix(short)
            }
        }
    }
}

extension RunSearch {
    /// Whether a run that was found by its id is also what the other words ask for.
    fileprivate func admits(_ run: RunRecord) -> Bool {
        (statuses.isEmpty || statuses.contains(run.status))
            && (workflows.isEmpty || workflows.contains(run.workflow))
            && (key == nil || key == run.key)
            && (errorCode == nil || errorCode == JSON(optional: run.error)["code"]?.string)
    }
}
