import Crypto
import PerigeeJournal

/// What somebody wants to decide, whichever way it came.
struct DecisionRequest {
    var outcome: String
    var by: String
    var comment: String?
    var form: JSON?
    var data: JSON?
    var via: String

    /// The largest data that a person may hand back, in bytes.
    static let maxData = 1_048_576

    /// The decision on an approval that waits.
    ///
    /// - Throws: ``HostError`` that says everything that does not fit.
    func decision(on approval: ApprovalRecord, at now: Timestamp) throws(HostError) -> Decision {
        let request = approval.request
        let details = ApprovalDetails(request)
        let who = by.isEmpty ? "unknown" : by
        if details.notBy.contains(where: { DecisionRequest.plain($0) == DecisionRequest.plain(who) }) {
            throw DecisionRequest.mayNot(who)
        }
        guard let choice = request.choices.first(where: { $0.lowercased() == outcome.lowercased() }) else {
            throw HostError.unknownOutcome(outcome, request.choices)
        }
        let filled = FilledForm.check(form?.object ?? [:], against: details.fields, outcome: choice)
        guard filled.faults.isEmpty else { throw DecisionRequest.misfit(filled.faults) }
        let comment = comment.flatMap { $0.allSatisfy(\.isWhitespace) ? nil : $0 }
        if comment == nil,
            request.commentRequiredOn.contains(where: { $0.lowercased() == choice.lowercased() })
        {
            throw HostError.commentRequired(choice)
        }
        guard who.utf8.count <= 256, (comment ?? "").utf8.count <= 16_384, via.utf8.count <= 64 else {
            throw HostError.invalid(
                "`by`, `comment` or `via` is too long.", hint: "At most 256 bytes, 16 KiB and 64 bytes.")
        }
        return Decision(
            outcome: choice, by: who, at: now, comment: comment, form: JSON.object(filled.values).bytes,
            data: try repaired(details.data, outcome: choice), via: via,
            shown: DecisionRequest.digest(approval))
    }

    /// The data that goes back to the script: as it was repaired, or as it was.
    private func repaired(_ parked: JSON?, outcome: String) throws(HostError) -> Payload? {
        guard let parked else {
            guard data == nil else {
                throw DecisionRequest.unusable("nothing was parked here that could be repaired")
            }
            return nil
        }
        guard outcome == "retry" else { return nil }
        let repaired = data ?? parked
        // Lua has one empty table: an empty list stands for an object without fields.
        let isEmpty =
            parked == .array([]) && repaired.object != nil || repaired == .array([]) && parked.object != nil
        guard repaired.kindName == parked.kindName || isEmpty else {
            throw DecisionRequest.unusable("it is \(repaired.kindName), and was \(parked.kindName)")
        }
        let bytes = repaired.bytes
        guard bytes.count <= DecisionRequest.maxData else {
            throw DecisionRequest.unusable(
                "it has \(bytes.count) bytes, and \(DecisionRequest.maxData) are the most")
        }
        return bytes
    }

    private static func plain(_ person: String) -> String {
        person.lowercased().filter { !$0.isWhitespace }
    }

    /// The SHA-256 of what stood on the page: the label, the rows and the rest, each with a zero byte behind it.
    static func digest(_ approval: ApprovalRecord) -> String {
        let label = Array(approval.address.label.utf8)
        let parts = [label, approval.request.show, approval.request.details]
        return SHA256.hash(data: parts.reduce(into: []) { $0 += $1 + [0] }).hexadecimal
    }

    // MARK: Refusals

    private static func mayNot(_ who: String) -> HostError {
        HostError(
            code: "PG4120", status: 403, title: "May not decide",
            message: "\(who) may not decide this: the script excludes them (`not_by`).",
            hint: "Somebody else has to decide.")
    }

    private static func misfit(_ faults: [InputFault]) -> HostError {
        let list = faults.map { "`\($0.pointer.dropFirst(6))` \($0.detail)" }
        return HostError(
            code: "PG4121", status: 422, title: "The form does not fit",
            message: "The form does not fit: \(list.joined(separator: "; ")).",
            hint: "Correct these fields and decide again; nothing was decided.", faults: faults)
    }

    private static func unusable(_ detail: String) -> HostError {
        HostError(
            code: "PG4122", status: 422, title: "Data that can't be used",
            message: "The repaired data can't be used: \(detail).",
            hint: "Send JSON of the same kind as the data that was parked; nothing was decided.",
            faults: [InputFault(pointer: "/data", detail: detail)])
    }
}
