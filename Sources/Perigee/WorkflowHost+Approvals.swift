public import PerigeeJournal

extension WorkflowHost {
    /// The largest repaired data that a decision may bring, in bytes.
    public static let maxRepairedBytes = DecisionRequest.maxData

    /// Approvals, those that are due first first.
    ///
    /// - Parameters:
    ///   - status: only these; `nil` for all.
    ///   - kinds: any of these; empty for all.
    ///   - limit: at most this many, 1 to 500.
    /// - Throws: ``JournalError`` if the store fails.
    public func approvals(
        status: ApprovalStatus?, kinds: Set<ApprovalKind> = [], limit: Int
    ) async throws -> [ApprovalRecord] {
        try await journal.approvals(namespace: namespace, status: status, kinds: kinds, limit: limit)
    }

    /// An approval as it stands.
    ///
    /// - Throws: ``HostError`` if there is none; ``JournalError`` if the store fails.
    public func approval(id: String) async throws -> ApprovalRecord {
        guard let approval = try await journal.approval(id: id), approval.namespace == namespace else {
            throw HostError.unknownApproval(id)
        }
        return approval
    }

    /// Decides an approval.
    ///
    /// The first decision counts.
    ///
    /// - Parameters:
    ///   - outcome: one of its choices; capitals do not matter.
    ///   - by: who decides.
    ///   - comment: why, at most 16 KiB.
    ///   - form: values by the names of the form's fields; text stands for any of them.
    ///   - data: parked data as it was repaired, at most 1 MiB; `nil` to leave it as it is.
    ///   - via: the way the decision came, at most 64 bytes.
    /// - Returns: the approval with the decision.
    /// - Throws: ``HostError`` for an unknown approval, one that is no longer open, somebody who may not decide, an
    ///   unknown outcome, a missing comment, or a form or data that does not fit; ``JournalError`` if the store fails.
    public func decide(
        approval id: String, outcome: String, by: String, comment: String? = nil, form: JSON? = nil,
        data: JSON? = nil, via: String = "api"
    ) async throws -> ApprovalRecord {
        let approval = try await approval(id: id)
        guard approval.status == .waiting else { throw HostError.alreadyDecided(approval) }
        let request = DecisionRequest(
            outcome: outcome, by: by, comment: comment, form: form, data: data, via: via)
        let decision = try request.decision(on: approval, at: ambient.now)
        guard let decided = try await journal.decide(approval: id, decision) else {
            throw HostError.unknownApproval(id)
        }
        guard decided.isNew else { throw HostError.alreadyDecided(decided.approval) }
        dispatcher.poke()
        activityHub.send(
            .decided(
                run: approval.run, workflow: approval.workflow, step: approval.address.label,
                outcome: decision.outcome, by: decision.by, comment: decision.comment))
        activityHub.send(.runChanged(id: approval.run))
        return decided.approval
    }
}
