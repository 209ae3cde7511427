import Foundation
import PerigeeJournal

/// Makes an attempt at an HTTP call, and says what follows.
struct HTTPAttempt: Sendable {
    let transport: (any HTTPTransport)?
    let ambient: any Ambient
    let secrets: SecretFinder
    let tokens: TokenCache

    /// Sends a call once; twice where its access token turns out to have ended.
    func perform(_ call: HTTPCall) async throws(CancellationError) -> EffectEnd {
        var call = call
        let startedAt = call.since ?? ambient.now
        call.since = startedAt
        if let moment = call.refusedUntil { return EffectEnd(refusal(call, until: moment, startedAt)) }
        var details: [AttemptDetail] = []
        var hasRenewedToken = false
        while true {
            let attempt = call.made + 1
            let access: Result<Access?, HTTPFailure>
            let result: Result<HTTPReply, HTTPFailure>
            do {
                let secrets = try await call.secretValues(secrets)
                access = try await self.access(for: call, secrets)
                result = try await send(call, attempt, secrets, access)
            } catch let refusal as SecretRefusal {
                return EffectEnd(.attention(refusal.error), details)
            } catch let error as ScriptError {
                return EffectEnd(
                    .outcome(.failure(error.bytes), attempts: attempt, startedAt: startedAt), details)
            } catch { throw CancellationError() }
            if case .success(let reply) = result, call.isGood(reply) {
                details.append(detail(call, result, attempt, retryIn: nil))
                let value = HTTPAttempt.value(reply, attempts: attempt, withBody: call.method != "HEAD")
                var end = EffectEnd(
                    .outcome(.success(value.bytes), attempts: attempt, startedAt: startedAt), details)
                end.hasFailed = false
                end.keeps =
                    WebhookEndpoint.change(call, reply, ambient.now)
                    ?? StaleReply.kept(value, of: call, ambient.now)
                return end
            }
            // A token can end before its time; one that is fresh and refused is a matter of rights.
            if case .success(let reply) = result, reply.status == 401, !hasRenewedToken,
                case .success(let access?) = access
            {
                tokens.drop(access.token, of: access.credentials)
                details.append(detail(call, result, attempt, retryIn: 0))
                hasRenewedToken = true
                call.made = attempt
                continue
            }
            if let end = busy(call, result, startedAt, details) { return end }
            let delay = delay(call, result, after: attempt)
            details.append(detail(call, result, attempt, retryIn: delay))
            let next: EffectResult
            if let delay {
                next = .again(
                    at: ambient.now.adding(milliseconds: delay), attempts: attempt, startedAt: startedAt)
            } else {
                let failure = failure(call, result, attempt: attempt)
                next = .outcome(.failure(failure.bytes), attempts: attempt, startedAt: startedAt)
            }
            var end = EffectEnd(next, details)
            if case .success = access { end.hasFailed = result.isFailureOfDestination }
            if case .success(let reply) = result {
                end.keeps = WebhookEndpoint.change(call, reply, ambient.now)
            }
            return end
        }
    }

    /// What follows where nothing could be sent for want of a connection; `nil` where that is not so, or was for too
    /// long.
    private func busy(
        _ call: HTTPCall, _ result: Result<HTTPReply, HTTPFailure>, _ startedAt: Timestamp,
        _ details: [AttemptDetail]
    ) -> EffectEnd? {
        guard case .failure(let failure) = result, failure.isUnsent,
            let delay = bounded(1000 + Int64(ambient.randomUInt64() % 1000), call)
        else { return nil }
        let detail = detail(call, result, call.made + 1, retryIn: delay)
        return EffectEnd(
            .again(
                at: ambient.now.adding(milliseconds: delay), attempts: call.made, startedAt: startedAt),
            details + [detail])
    }

    /// A delay, unless the attempts end before it has passed.
    private func bounded(_ delay: Int64, _ call: HTTPCall) -> Int64? {
        guard let longest = call.retry.maxDurationMilliseconds, let since = call.since else { return delay }
        return ambient.now.milliseconds - since.milliseconds + delay < longest ? delay : nil
    }

    /// Why a call was not sent.
    private func refusal(_ call: HTTPCall, until moment: Timestamp, _ startedAt: Timestamp) -> EffectResult {
        let error = ScriptError(
            code: "PG2170", kind: "network",
            message: "\(call.method) \(call.shownTarget) was not sent: too many calls to "
                + "\(call.gate?.key ?? "it") failed. The next is tried at \(moment).",
            hint: "The call has `fallback` or `stale_ok`, so it does not wait until then.",
            fields: ["retryable": true, "step": .string(call.label), "attempt": .int(Int64(call.made))])
        return .outcome(.failure(error.bytes), attempts: max(1, call.made), startedAt: startedAt)
    }

    /// What a call proves its right with.
    private struct Access {
        let credentials: ClientCredentials
        let token: String
    }

    /// The access token of a call, from memory or fetched now; `nil` if it needs none.
    ///
    /// - Throws: ``ScriptError`` for an `auth` that can't be used, and when the task is cancelled.
    private func access(
        for call: HTTPCall, _ secrets: [String: String]
    ) async throws -> Result<Access?, HTTPFailure> {
        guard let credentials = try call.clientCredentials(secrets) else { return .success(nil) }
        return try await tokens.token(for: credentials, now: { ambient.now }) {
            await send(credentials.request(timeoutMilliseconds: call.timeout)).flatMap(credentials.read)
        }.map { Access(credentials: credentials, token: $0) }
    }

    private func send(
        _ call: HTTPCall, _ attempt: Int, _ secrets: [String: String], _ access: Result<Access?, HTTPFailure>
    ) async throws -> Result<HTTPReply, HTTPFailure> {
        switch access {
        case .failure(let failure): return .failure(failure)
        case .success(let access):
            let request = try call.request(
                attempt: attempt, secrets: secrets, token: access?.token, now: ambient.now)
            let redaction = Redaction(
                secrets: secrets,
                authorization: request.headers.first { $0.name.lowercased() == "authorization" }?.value,
                token: access?.token)
            return await send(request).map(redaction.applied)
        }
    }

    private func send(_ request: HTTPRequest) async -> Result<HTTPReply, HTTPFailure> {
        guard let transport else {
            return .failure(
                HTTPFailure(
                    kind: .rejected, code: "PG2009", message: "This host has no HTTP client.",
                    hint: "Give WorkflowHost one: http: AsyncHTTPTransport()."))
        }
        do { return .success(try await transport.send(request)) } catch { return .failure(error) }
    }

    private func delay(_ call: HTTPCall, _ result: Result<HTTPReply, HTTPFailure>, after attempt: Int)
        -> Int64?
    {
        let retryAfter: Int64?
        switch result {
        case .success(let reply):
            guard call.retry.retries(status: reply.status, kind: "http") else { return nil }
            retryAfter = RetryAfter.milliseconds(reply, now: ambient.now)
        case .failure(let failure):
            guard call.retry.retries(status: nil, kind: failure.kind.rawValue) else { return nil }
            retryAfter = nil
        }
        let delay = call.retry.delay(
            after: attempt, retryAfter: retryAfter, random: ambient.randomUInt64())
        return delay.flatMap { bounded($0, call) }
    }

    private func detail(
        _ call: HTTPCall, _ result: Result<HTTPReply, HTTPFailure>, _ attempt: Int, retryIn: Int64?
    ) -> AttemptDetail {
        let end =
            switch result {
            case .success(let reply): "\(reply.status)"
            case .failure(let failure): failure.message
            }
        return AttemptDetail(
            attempt: attempt, summary: "\(call.method) \(call.shownTarget) → \(end)",
            retryInMilliseconds: retryIn)
    }

    /// `{ status, headers, body, json, attempts }`; a body that is no text stands under `base64`.
    static func value(_ reply: HTTPReply, attempts: Int?, withBody: Bool = true) -> JSON {
        var headers: [String: JSON] = [:]
        for header in reply.headers {
            let name = header.name.lowercased()
            let joined = headers[name]?.string.map { "\($0), \(header.value)" } ?? header.value
            headers[name] = .string(joined)
        }
        var fields: [String: JSON] = ["status": .int(Int64(reply.status)), "headers": .object(headers)]
        if let attempts { fields["attempts"] = .int(Int64(attempts)) }
        guard withBody else { return .object(fields) }
        let type = reply.header("Content-Type")
        guard let text = ReplyText.decode(reply.body, contentType: type) else {
            fields["base64"] = .string(Data(reply.body).base64EncodedString())
            return .object(fields)
        }
        fields["body"] = .string(text)
        if type?.lowercased().contains("json") == true, let json = try? JSON(parsing: Array(text.utf8)) {
            fields["json"] = json
        }
        return .object(fields)
    }

    private func failure(_ call: HTTPCall, _ result: Result<HTTPReply, HTTPFailure>, attempt: Int)
        -> ScriptError
    {
        let times = attempt == 1 ? "" : " after \(attempt) attempts"
        var fields: [String: JSON] = [
            "attempt": .int(Int64(attempt)), "max_attempts": .int(call.retry.maxAttempts),
            "step": .string(call.label),
        ]
        switch result {
        case .success(let reply):
            fields["status"] = .int(Int64(reply.status))
            fields["retryable"] = .bool(call.retry.retries(status: reply.status, kind: "http"))
            fields["response"] = HTTPAttempt.value(reply, attempts: nil)
            if let webhook = call.webhook, webhook.isGone(reply) {
                return WebhookEndpoint.gone(call, fields)
            }
            let type = reply.header("Content-Type")
            let said = ReplyText.decode(reply.body, contentType: type).map { String($0.prefix(300)) } ?? ""
            return ScriptError(
                code: "PG2014", kind: "http",
                message: "\(call.method) \(call.shownTarget) answered \(reply.status)\(times)"
                    + (said.isEmpty ? "." : ": \(said)"),
                hint: "See the reply in the run's timeline; try(…) lets a script go on without it.",
                fields: fields)
        case .failure(let failure):
            fields["retryable"] = .bool(call.retry.retries(status: nil, kind: failure.kind.rawValue))
            return ScriptError(
                code: failure.code, kind: failure.kind.rawValue, message: failure.message + times,
                hint: failure.hint,
                fields: fields)
        }
    }
}

extension Result<HTTPReply, HTTPFailure> {
    /// Whether the destination did not do what it is there for; not so if it refused what it was asked.
    fileprivate var isFailureOfDestination: Bool {
        switch self {
        case .success(let reply): reply.status >= 500
        case .failure(let failure): failure.kind == .network || failure.kind == .timeout
        }
    }
}

/// One attempt at a step, for people.
public struct AttemptDetail: Hashable, Sendable {
    /// From 1.
    public var attempt: Int
    /// `POST quotes.example/quotes → 503`.
    public var summary: String
    /// When the next attempt follows, in milliseconds; `nil` if none does.
    public var retryInMilliseconds: Int64?
}
