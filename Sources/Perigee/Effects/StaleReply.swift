import PerigeeJournal

/// `stale_ok = "1h"`: the last good reply to a call, given where there is none.
///
/// It is kept as a durable value of the workflow, by what was asked for.
enum StaleReply {
    /// What the keys of kept replies begin with.
    static let prefix = "perigee/http/"

    private static func key(_ call: HTTPCall) -> String { prefix + call.content }

    /// What is kept of a good reply; `nil` if it is too large.
    static func kept(_ reply: JSON, of call: HTTPCall, _ now: Timestamp) -> StateWrite? {
        let value = JSON.object(["at": .int(now.milliseconds), "reply": reply]).bytes
        guard value.count <= StateValue.maxBytes else { return nil }
        return StateWrite(key: key(call), change: .set(value))
    }

    /// The end of a call, with the last good reply in the place of an error that another attempt might mend.
    static func instead(
        of end: EffectEnd, _ call: HTTPCall, _ run: RunRecord, in journal: any Journal, now: Timestamp
    ) async -> EffectEnd {
        guard let longest = call.staleMilliseconds,
            case .outcome(.failure(let failure), let attempts, let startedAt) = end.result,
            (try? JSON(parsing: failure))?["retryable"] == true,
            let kept = try? await journal.state(
                namespace: run.namespace, workflow: run.workflow, key: key(call)),
            let fields = try? JSON(parsing: kept), let at = fields["at"]?.int,
            now.milliseconds - at <= longest, var reply = fields["reply"]?.object
        else { return end }
        reply["stale"] = true
        reply["stale_since"] = .string(Timestamp(milliseconds: at).description)
        var instead = end
        instead.result = .outcome(
            .success(JSON.object(reply).bytes), attempts: attempts, startedAt: startedAt)
        return instead
    }
}
