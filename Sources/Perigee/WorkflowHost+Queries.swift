public import PerigeeJournal

extension WorkflowHost {
    /// A run as it stands.
    ///
    /// - Throws: ``HostError`` if there is none; ``JournalError`` if the store fails.
    public func run(id: String) async throws -> RunRecord {
        guard let run = try await journal.run(id: id), run.namespace == namespace else {
            throw HostError.unknownRun(id)
        }
        return run
    }

    /// A page of runs, newest first.
    ///
    /// - Throws: ``JournalError`` if the store fails.
    public func runs(_ query: RunQuery) async throws -> RunPage {
        var query = query
        query.namespace = namespace
        return try await journal.runs(query)
    }

    /// Everything that is recorded of a run.
    ///
    /// - Throws: ``HostError`` if there is none; ``JournalError`` if the store fails.
    public func history(run id: String) async throws -> RunHistory {
        guard let history = try await journal.history(run: id), history.run.namespace == namespace else {
            throw HostError.unknownRun(id)
        }
        return history
    }

    /// The texts of a version by path.
    ///
    /// - Throws: ``JournalError`` if the store fails.
    public func files(bundle: String) async throws -> [String: String] {
        try await journal.files(bundle: bundle) ?? [:]
    }

    /// Cancels a run: its script gets an error at its next step that it can't catch, sagas undo what they did, and
    /// `on_cancel` runs.
    ///
    /// Asked a second time, the run ends at once.
    ///
    /// - Parameters:
    ///   - by: who cancels it.
    ///   - reason: why, for those who look at it later.
    ///   - isForced: end it at once, without asking its script.
    /// - Returns: the run as it stands now.
    /// - Throws: ``HostError`` if there is no such run or it has ended; ``JournalError`` if the store fails.
    public func cancel(
        run id: String, by: String, reason: String? = nil, isForced: Bool = false
    ) async throws -> RunRecord {
        try await act(on: id, isForced ? .terminate : .cancel, by: by, reason: reason)
    }

    /// The run once it has ended or needs attention, or as it is when the time is over.
    ///
    /// - Parameter timeoutMilliseconds: 0 or more.
    /// - Throws: ``HostError`` if there is no such run; ``JournalError`` if the store fails; `CancellationError` if the
    ///   task is cancelled.
    public func waitForEnd(run id: String, timeoutMilliseconds: Int64) async throws -> RunRecord {
        let deadline = ambient.now.adding(milliseconds: timeoutMilliseconds)
        // While this host works on it, its end is told without asking the store.
        var mustLook = deadline <= ambient.now
        while true {
            let waiter = waiters.waiter(id)
            defer { waiters.remove(waiter, of: id) }
            if mustLook || !waiters.isUnderWay(id) {
                let run = try await run(id: id)
                let isOver = deadline <= ambient.now || waiters.isFinished
                if run.status.isFinal || run.status == .attention || isOver { return run }
            }
            try Task.checkCancellation()
            if let run = await waiters.wait(waiter, before: deadline) { return run }
            mustLook = true
        }
    }
}
