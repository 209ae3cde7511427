public import Perigee
import Synchronization

/// Answers the calls of workflows from the `*.json` files of a folder, without a network.
///
/// A file holds an object from patterns to replies; see the files in `mocks/`:
///
///     {
///       "GET crm.example/customers/*": { "json": { "name": "Acme" }, "delay": "12ms" },
///       "POST quotes.example/quotes": [ { "status": 503 }, { "status": 201, "json": { "id": "Q-1" } } ]
///     }
///
/// A pattern is a method or `*`, a space, and the host with the path, where `*` stands for any run of
/// characters. The query counts only where the pattern has one. Of several that match, the one with the most
/// literal text answers. A list is told by attempt: the first attempt gets the first reply, and the last
/// reply repeats. A saved file counts from the next call on.
public final class MockTransport: HTTPTransport {
    private let folder: Mutex<MockFolder>
    private let sleep: @Sendable (Duration) async throws -> Void

    /// - Parameters:
    ///   - folder: the path of the folder with the files.
    ///   - sleep: waits for the `delay` of a reply; throws when the call is cancelled.
    public init(
        folder: String,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.folder = Mutex(MockFolder(path: folder))
        self.sleep = sleep
    }

    public func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPReply {
        let target = try MockTarget(method: request.method, url: request.url)
        let rule = try folder.withLock { (folder) throws(HTTPFailure) in try folder.rule(for: target) }
        let mock = rule.reply(attempt: request.attempt)
        let timeout = Duration.milliseconds(request.timeoutMilliseconds)
        do {
            if mock.delay > .zero { try await sleep(min(mock.delay, timeout)) }
        } catch {
            throw HTTPFailure(
                kind: .network, code: "PG2002", message: "The call was broken off before it was answered.",
                hint: "This happens when its run is cancelled or the host stops.")
        }
        guard mock.delay < timeout else { throw MockTransport.timeout(target, rule) }
        switch mock.outcome {
        case .timeout: throw MockTransport.timeout(target, rule)
        case .network:
            throw HTTPFailure(
                kind: .network, code: "PG2002",
                message: "Could not connect to \(target.host): the mock says so.",
                hint: "See \"\(rule.pattern.text)\" in \(rule.file).")
        case .reply(var reply):
            guard reply.body.count <= request.maxReplyBytes else {
                throw HTTPFailure(
                    kind: .limit, code: "PG2005",
                    message: "The reply of \(target.host) is larger than \(request.maxReplyBytes) bytes.",
                    hint: "See \"\(rule.pattern.text)\" in \(rule.file).")
            }
            if request.method == "HEAD" { reply.body = [] }
            return reply
        }
    }

    private static func timeout(_ target: MockTarget, _ rule: MockRule) -> HTTPFailure {
        HTTPFailure(
            kind: .timeout, code: "PG2003", message: "\(target.host) did not answer in time.",
            hint: "The mock says so: see \"\(rule.pattern.text)\" in \(rule.file).")
    }
}
