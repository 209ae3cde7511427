import Crypto
import Foundation
import PerigeeJournal

/// The endpoints that answered a webhook with 410 Gone: they are sent nothing more until they are enabled again.
///
/// Each is a durable value of the namespace, by its URL.
enum WebhookEndpoint {
    private static func key(_ call: HTTPCall) -> String {
        let url = call.url.prefix { $0 != "#" }
        return "webhook/" + SHA256.hash(data: Array(url.utf8)).prefix(16).hexadecimal
    }

    /// What a reply to a webhook changes; `nil` if nothing.
    static func change(_ call: HTTPCall, _ reply: HTTPReply, _ now: Timestamp) -> StateWrite? {
        guard let webhook = call.webhook else { return nil }
        if webhook.isGone(reply) {
            let value = JSON.object(["since": .string(now.description)])
            return StateWrite(key: key(call), change: .set(value.bytes), isShared: true)
        }
        guard webhook.enables, call.isGood(reply) else { return nil }
        return StateWrite(key: key(call), change: .delete, isShared: true)
    }

    /// The end of a webhook whose endpoint is disabled; `nil` if it is to be sent.
    static func refusal(
        of call: HTTPCall, _ run: RunRecord, in journal: any Journal, _ reader: StoreReader
    ) async throws -> EffectEnd? {
        guard let webhook = call.webhook, !webhook.enables else { return nil }
        let startedAt = call.since ?? reader.ambient.now
        let value = try await reader.read {
            try await journal.state(
                namespace: run.namespace, workflow: StateWrite.sharedWorkflow, key: key(call))
        }
        guard let since = value.flatMap({ try? JSON(parsing: $0) })?["since"]?.string else { return nil }
        let error = ScriptError(
            code: "PG2172", kind: "http",
            message:
                "\(call.method) \(call.shownTarget) was not sent: its endpoint is disabled since it answered "
                + "410 Gone at \(since).",
            hint: "Where it is back, send to it once with enable = true, which enables it for all workflows.",
            fields: [
                "retryable": false, "step": .string(call.label), "attempt": .int(Int64(call.made)),
                "disabled_since": .string(since),
            ])
        return EffectEnd(
            .outcome(.failure(error.bytes), attempts: max(1, call.made), startedAt: startedAt))
    }

    /// The error of the webhook that an endpoint answered with 410.
    static func gone(_ call: HTTPCall, _ fields: [String: JSON]) -> ScriptError {
        ScriptError(
            code: "PG2171", kind: "http",
            message:
                "\(call.method) \(call.shownTarget) answered 410 Gone: it wants no more webhooks, and is "
                + "disabled now for all workflows.",
            hint: "Take it off your list; if it was a mistake, send to it once with enable = true.",
            fields: fields)
    }
}
