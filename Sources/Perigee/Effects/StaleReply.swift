import PerigeeJournal

/// `stale_ok = "1h"`: the last good reply to a call, given where there is none.
enum StaleReply {
    private static func key(_ call: HTTPCall) -> String { KeptReply.prefix + call.content }

    /// What is kept of a good reply; `nil` if it is too large, or the call does not ask for it.
    static func kept(_ reply: JSON, of call: HTTPCall, _ now: Timestamp) -> StateWrite? {
        guard let longest = call.staleMilliseconds else { return nil }
        let value = KeptReply(at: now, reply: reply, until: now.adding(milliseconds: longest)).payload
        guard value.count <= StateValue.maxBytes else { return nil }
        return StateWrite(key: key(call), change: .set(value))
    }

    /// The end of a call, with the last good reply in the place of an error that another attempt might mend.
    static func instead(
        of end: EffectEnd, _ call: HTTPCall, _ run: RunRecord, in journal: any Journal, _ reader: StoreReader
    ) async throws -> EffectEnd {
        guard let longest = call.staleMilliseconds,
            case .outcome(.failure(let failure), let attempts, let startedAt) = end.result,
            (try? JSON(parsing: failure))?["retryable"] == true
        else { return end }
        let value = try await reader.read {
            try await journal.state(namespace: run.namespace, workflow: run.workflow, key: key(call))
        }
        guard let kept = value.flatMap(KeptReply.init), var reply = kept.reply.object,
            reader.ambient.now <= kept.at.adding(milliseconds: longest)
        else { return end }
        reply["stale"] = true
        reply["stale_since"] = .string(kept.at.description)
        var instead = end
        instead.result = .outcome(
            .success(JSON.object(reply).bytes), attempts: attempts, startedAt: startedAt)
        return instead
    }
}
