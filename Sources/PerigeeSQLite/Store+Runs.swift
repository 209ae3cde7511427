import GRDB
import PerigeeJournal

extension Store {
    private static let runColumns = """
        SELECT r.number, r.id, r.namespace, r.workflow, r.version, r.bundle, r.status, r.key, r.owner,
            r.epoch, r.entry_count, r.created_at, r.started_at, r.ended_at, r.deadline_at, r.cancel_error,
            r.paused_at, r.tags, r.status_text, r.output, r.error, r.continued_as, r.turn, r.concurrency_key,
            r.held, i.input, i.trigger, i.event_id, COALESCE(NULLIF(i.correlation_id, ''), r.id), i.parent_id,
            i.parent_path, i.parent_label, i.parent_occurrence, i.parent_policy, i.depth, i.continued_from
        FROM runs r JOIN run_inputs i ON i.run = r.number
        """

    private func decodeRun(_ row: inout Columns) throws -> RunRecord {
        let number: Int64 = try row.next()
        let id: String = try row.next()
        let namespace: String = try row.next()
        let workflow: String = try row.next()
        let version: Int = try row.next()
        let bundle: String = try row.next()
        let status: RunStatus = try row.choice()
        let key: String? = try row.next()
        let owner: String? = try row.next()
        let epoch: Int64 = try row.next()
        let entryCount: Int = try row.next()
        let createdAt = try row.time()
        let startedAt = try row.optionalTime()
        let endedAt = try row.optionalTime()
        let deadlineAt = try row.optionalTime()
        let cancelRequest = try row.optionalPayload()
        let pausedAt = try row.optionalTime()
        let tags = try row.optionalPayload()
        let statusText: String? = try row.next()
        let output = try row.optionalPayload()
        let error = try row.optionalPayload()
        let continuedAs: String? = try row.next()
        let turn = try row.turn()
        let slot: String? = try row.next()
        let isHeld: Bool = try row.next()
        return RunRecord(
            id: id, number: number, namespace: namespace, workflow: workflow, version: version,
            bundle: bundle, status: status, key: key, input: try row.payload(), output: output, error: error,
            trigger: try row.payload(), eventID: try row.next(), correlationID: try row.next(),
            parent: try row.parent(), continuedFrom: try row.next(), continuedAs: continuedAs, tags: tags,
            statusText: statusText, createdAt: createdAt, startedAt: startedAt, endedAt: endedAt,
            deadlineAt: deadlineAt, cancelRequest: cancelRequest, pausedAt: pausedAt,
            blockedBy: Self.blockage(turn, key: key, slot: slot)
                ?? (isHeld && status == .queued
                    ? Blockage(kind: .breaker, key: workflow, limit: 0, runs: []) : nil),
            owner: owner, epoch: epoch,
            entryCount: entryCount)
    }

    /// Why a run can't begin yet, as far as its own row tells; ``withBlockages(_:)`` fills in the rest.
    private static func blockage(_ turn: Turn?, key: String?, slot: String?) -> Blockage? {
        switch turn {
        case .waitsForKey?: Blockage(kind: .key, key: key ?? "", limit: 1, runs: [])
        case .waitsForSlot?: Blockage(kind: .concurrency, key: slot ?? "", limit: 0, runs: [])
        case .waitsForTime?, .holdsSlot?, nil: nil
        }
    }

    /// The run without its waits.
    func plainRun(_ number: Int64) throws -> RunRecord? {
        try first("\(Self.runColumns) WHERE r.number = ?", [number], decodeRun)
    }

    func number(ofRun id: String) throws -> Int64? {
        try first("SELECT number FROM runs WHERE id = ?", [id]) { try $0.next() }
    }

    func run(id: String) throws -> RunRecord? {
        guard let run = try first("\(Self.runColumns) WHERE r.id = ?", [id], decodeRun) else { return nil }
        return try withBlockages(withWaits([run]))[0]
    }

    func runs(_ query: RunQuery) throws -> RunPage {
        let limit = query.limit + 1
        // One status and one workflow are one stretch of an index in the order of the page; several are merged.
        let statuses: [RunStatus?] = query.statuses.isEmpty ? [nil] : query.statuses.map(\.self)
        let workflows: [String?] = query.workflows.isEmpty ? [nil] : query.workflows.map(\.self)
        var found: [RunRecord] = []
        for status in statuses {
            for workflow in workflows { found += try runs(query, status, workflow, limit: limit) }
        }
        found.sort { $0.number > $1.number }
        let runs = try withBlockages(withWaits(Array(found.prefix(query.limit))))
        return RunPage(runs: runs, nextCursor: found.count > query.limit ? runs.last?.number : nil)
    }

    /// Runs in one status and of one workflow, where these are given, newest first.
    ///
    /// SQLite can't know which of two indexes leads to fewer rows, so a `+` takes a column out of its choice: a key
    /// is rare, and so is every status but `completed`.
    private func runs(
        _ query: RunQuery, _ status: RunStatus?, _ workflow: String?, limit: Int
    ) throws -> [RunRecord] {
        let isByStatus = query.key == nil && status != nil && (status != .completed || workflow == nil)
        let isByWorkflow = query.key == nil && workflow != nil && !isByStatus
        let isByNamespace = query.key != nil || isByStatus || isByWorkflow
        var conditions = [(isByNamespace ? "" : "+") + "r.namespace = ?"]
        var values: [Value] = [query.namespace]
        func add(_ condition: String, _ value: Value) {
            conditions.append(condition)
            values.append(value)
        }
        if let key = query.key { add("r.key = ?", key) }
        if let status { add((isByStatus ? "" : "+") + "r.status = ?", status.rawValue) }
        if let workflow { add((isByWorkflow ? "" : "+") + "r.workflow = ?", workflow) }
        if let cursor = query.cursor { add("r.number < ?", cursor) }
        if let code = query.errorCode {
            add(
                "CASE WHEN json_valid(CAST(r.error AS TEXT)) THEN"
                    + " json_extract(CAST(r.error AS TEXT), '$.code') END = ?", code)
        }
        let sql =
            "\(Self.runColumns) WHERE \(conditions.joined(separator: " AND ")) ORDER BY r.number DESC LIMIT ?"
        return try all(sql, values + [limit], decodeRun)
    }

    /// Fills in what waiting runs wait for, all runs with one query.
    private func withWaits(_ runs: [RunRecord]) throws -> [RunRecord] {
        let waiting = runs.filter { [.waiting, .running, .paused].contains($0.status) }.map(\.number)
        guard !waiting.isEmpty else { return runs }
        let waits = Dictionary(grouping: try openWaits(of: waiting), by: \.run)
        return runs.map { run in
            var run = run
            run.waits = waits[run.number, default: []].map(\.wait)
            return run
        }
    }

    private static let ending = """
        UPDATE runs SET owner = NULL, wake_at = NULL, status = ?, output = ?, error = ?, ended_at = ?,
            cancel_error = NULL, paused_at = NULL, turn = NULL, entry_count = COALESCE(?, entry_count),
            tags = COALESCE(?, tags), status_text = COALESCE(?, status_text), version = COALESCE(?, version),
            bundle = COALESCE(?, bundle) WHERE number = ? AND ended_at IS NULL
        """
    private static let endingInLines = ending + " RETURNING namespace, workflow, key, concurrency_key"

    /// Ends a run: nothing can happen to it any more.
    ///
    /// - Parameters:
    ///   - isInLines: false where it is known that it has no key and needs no slot, which saves time.
    ///   - commit: what else changes about the run.
    @discardableResult
    func end(
        _ number: Int64, _ status: RunStatus, output: Payload?, error: Payload?, at: Timestamp,
        isInLines: Bool = true, with commit: Commit? = nil
    ) throws -> EndEffects {
        let lines = try all(
            isInLines ? Self.endingInLines : Self.ending,
            [
                status.rawValue, output, error, at.milliseconds, commit?.entries.last?.sequence, commit?.tags,
                commit?.statusText, commit?.move?.version, commit?.move?.bundle, number,
            ]
        ) { row in
            let namespace: String = try row.next()
            let workflow: String = try row.next()
            let keys: [String?] = [try row.next(), try row.next()]
            return keys.map { key in
                key.map { Line(namespace: namespace, workflow: workflow, key: $0) }
            }
        }.first
        guard db.changesCount > 0 else { return EndEffects() }
        var effects = try settleEnd(number, at: at)
        if let lines, try leaveLines(key: lines[0], slot: lines[1], now: at) { effects.wakesRuns = true }
        return effects
    }

    func cancel(run id: String, error: Payload, isForced: Bool, now: Timestamp) throws -> Cancellation? {
        guard let run = try run(id: id) else { return nil }
        if run.status.isFinal { return .alreadyEnded(run) }
        let isAskedAgain = isForced || run.cancelRequest != nil
        if isAskedAgain || run.startedAt == nil || run.status == .attention {
            let status: RunStatus = isAskedAgain ? .terminated : .cancelled
            try end(run.number, status, output: nil, error: error, at: now)
            return try plainRun(run.number).map(Cancellation.ended)
        }
        try askToEnd(run.number, error: error, now: now)
        return try self.run(id: id).map(Cancellation.requested)
    }

    /// A paused run goes on to its end; one that stands in line hears of it when its turn comes.
    func askToEnd(_ number: Int64, error: Payload, now: Timestamp) throws {
        try run(
            """
            UPDATE runs SET cancel_error = ?1, paused_at = NULL,
                wake_at = CASE WHEN turn IN (1, 2) THEN NULL ELSE MIN(COALESCE(wake_at, ?2), ?2) END,
                status = CASE WHEN status = 'paused' THEN 'queued' ELSE status END
            WHERE number = ?3 AND cancel_error IS NULL
            """, [error, now.milliseconds, number])
    }
}
