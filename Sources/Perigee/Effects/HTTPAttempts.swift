import Foundation
import PerigeeJournal

/// Performs an HTTP call: attempt after attempt until one succeeds, fails for good, or was the last.
struct HTTPAttempts: Sendable {
    let transport: (any HTTPTransport)?
    let ambient: any Ambient
    let settings: Settings
    let throttle: Throttle
    let pause: AttemptPause
    /// Is told every failed attempt that is followed by another, and the last one.
    let onAttempt: @Sendable (AttemptDetail) async -> Void

    func perform(_ call: HTTPCall) async throws(CancellationError) -> EffectResult {
        let startedAt = ambient.now
        var attempt = 1
        while true {
            if let limit = call.throttle {
                try await wait(until: throttle.reserve(call.throttleKey, limit, at: ambient.now))
            }
            let request: HTTPRequest
            do { request = try call.request(attempt: attempt, settings: settings) } catch {
                return error.code == "PG2030"
                    ? .attention(error)
                    : .outcome(.failure(error.bytes), attempts: attempt, startedAt: startedAt)
            }
            let result = await send(request)
            if case .success(let reply) = result, reply.status < 400 {
                await onAttempt(detail(call, result, attempt, retryIn: nil))
                let value = HTTPAttempts.value(reply, attempts: attempt, withBody: request.method != "HEAD")
                return .outcome(.success(value.bytes), attempts: attempt, startedAt: startedAt)
            }
            let delay = delay(call, result, after: attempt)
            await onAttempt(detail(call, result, attempt, retryIn: delay))
            guard let delay else {
                let failure = failure(call, result, attempt: attempt)
                return .outcome(.failure(failure.bytes), attempts: attempt, startedAt: startedAt)
            }
            try await pause.wait(until: ambient.now.adding(milliseconds: delay), ambient)
            attempt += 1
        }
    }

    private func wait(until moment: Timestamp) async throws(CancellationError) {
        do { try await ambient.sleep(until: moment) } catch { throw CancellationError() }
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
            retryAfter = HTTPAttempts.retryAfter(reply, now: ambient.now)
        case .failure(let failure):
            guard call.retry.retries(status: nil, kind: failure.kind.rawValue) else { return nil }
            retryAfter = nil
        }
        return call.retry.delay(after: attempt, retryAfter: retryAfter, random: ambient.randomUInt64())
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

    /// `Retry-After` (RFC 9110, 10.2.3) in milliseconds; `nil` if there is none or it can't be read.
    static func retryAfter(_ reply: HTTPReply, now: Timestamp) -> Int64? {
        guard let text = reply.header("Retry-After")?.trimmingCharacters(in: .whitespaces) else { return nil }
        if let seconds = Int64(text) {
            return seconds >= 0 ? min(seconds, RetryPolicy.maxRetryAfter) * 1000 : nil
        }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(secondsFromGMT: 0)
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
        guard let date = format.date(from: text) else { return nil }
        return max(0, Int64(date.timeIntervalSince1970 * 1000) - now.milliseconds)
    }

    /// `{ status, headers, body, json, attempts }`.
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
        fields["body"] = .string(String(decoding: reply.body, as: UTF8.self))
        if reply.header("Content-Type")?.lowercased().contains("json") == true,
            let json = try? JSON(parsing: reply.body)
        {
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
            fields["response"] = HTTPAttempts.value(reply, attempts: nil)
            let said = String(decoding: reply.body.prefix(300), as: UTF8.self)
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

/// One attempt at a step, for people.
public struct AttemptDetail: Hashable, Sendable {
    /// From 1.
    public var attempt: Int
    /// `POST quotes.example/quotes → 503`.
    public var summary: String
    /// When the next attempt follows, in milliseconds; `nil` if none does.
    public var retryInMilliseconds: Int64?
}
