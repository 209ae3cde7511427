import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOSSL
public import Perigee
import Synchronization
import X509

let maxRedirects = 5
/// How often a request is sent that its receiver did not look at.
private let maxSendings = 3
let maxConnectionsPerHost = 256
let connectSeconds = 10

/// Sends the calls of workflows over the network, by HTTP/2 where the receiver offers it over TLS and HTTP/1.1
/// elsewhere.
///
/// What the policy does not permit is refused before anything is sent, also behind a redirect. The proxy variables
/// of the environment are not honoured. Call ``shutdown()`` before letting go of it.
public final class AsyncHTTPTransport: HTTPTransport {
    private let egress: EgressPolicy
    private let tls: CallTLS
    private let proxy: CallProxy?
    private let lookUp: HostLookup
    /// One for each standing: connections are pooled, and what checks the address of a new one can't see for which
    /// call it is made.
    private let clients: [EgressPolicy.Standing: HTTPClient]
    private let isStopping = Atomic(false)

    /// - Parameters:
    ///   - egress: which hosts may be called.
    ///   - tls: whom calls over https trust.
    ///   - proxy: what all calls go through. It looks the name of a host up by itself; the policy has decided by
    ///     what this machine found.
    public convenience init(
        egress: EgressPolicy = EgressPolicy(), tls: CallTLS = CallTLS(), proxy: CallProxy? = nil
    ) {
        self.init(egress: egress, tls: tls, proxy: proxy, lookUp: systemLookup)
    }

    init(egress: EgressPolicy, tls: CallTLS, proxy: CallProxy?, lookUp: @escaping HostLookup) {
        self.egress = egress
        self.tls = tls
        self.proxy = proxy
        self.lookUp = lookUp
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .automatic
        configuration.tlsConfiguration = tls.general
        configuration.timeout.connect = .seconds(Int64(connectSeconds))
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = maxConnectionsPerHost
        // Retries are the policy of the call, and a person should not wait to hear that nobody listens there.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.proxy = proxy.map { proxy in
            .server(
                host: proxy.host, port: proxy.port,
                authorization: proxy.user.map { .basic(username: $0, password: proxy.password) })
        }
        clients = Dictionary(
            uniqueKeysWithValues: EgressPolicy.Standing.all.map { standing in
                // The other end of a tunnel can't be seen: it is the proxy's.
                let check: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
                    proxy == nil
                        ? refuseUnpermitted(channel, egress, standing)
                        : channel.eventLoop.makeSucceededVoidFuture()
                }
                configuration.http1_1ConnectionDebugInitializer = { channel in
                    check(channel).flatMap { boundSilence(channel) }
                }
                configuration.http2ConnectionDebugInitializer = { channel in
                    check(channel).flatMap { boundSilence(channel) }.flatMap {
                        UnhandledStreams.watch(channel)
                    }
                }
                return (standing, HTTPClient(configuration: configuration))
            })
    }

    /// Closes every connection; calls under way fail.
    ///
    /// - Throws: an error of the client, also when it was shut down before.
    public func shutdown() async throws {
        isStopping.store(true, ordering: .relaxed)
        var failure: (any Error)?
        for client in clients.values {
            do { try await client.shutdown() } catch { failure = error }
        }
        if let failure { throw failure }
    }

    public func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPReply {
        let hop = try Hop(request)
        let milliseconds = min(max(request.timeoutMilliseconds, 1), 86_400_000)
        let call = Call(
            timeoutMilliseconds: milliseconds, deadline: .now() + .milliseconds(Int64(milliseconds)),
            maxReplyBytes: request.maxReplyBytes)
        // The client's own deadline ends with the head of the reply, and the resolver has none. So the call
        // and a timer run side by side: the first to end decides, and the other one is cancelled.
        let result = await withTaskGroup(of: Result<HTTPReply, HTTPFailure>.self) { group in
            group.addTask { await self.follow(hop, call) }
            group.addTask {
                do { try await Task.sleep(for: .milliseconds(milliseconds)) } catch {
                    return .failure(.interrupted)
                }
                return .failure(.timeout(hop.destination, milliseconds: milliseconds))
            }
            let first = await group.next()
            group.cancelAll()
            return first ?? .failure(.interrupted)
        }
        return try result.get()
    }

    private func follow(_ first: Hop, _ call: Call) async -> Result<HTTPReply, HTTPFailure> {
        var hop = first
        var origin: Destination?
        do throws(HTTPFailure) {
            for _ in 0...maxRedirects {
                let route = try await route(to: hop.destination, after: origin, call)
                let reply = try await exchange(hop, route, call)
                guard let next = try hop.following(reply) else { return .success(reply) }
                origin = hop.destination
                hop = next
            }
            throw .tooManyRedirects(first.destination)
        } catch {
            return .failure(error)
        }
    }

    private func route(
        to destination: Destination, after origin: Destination?, _ call: Call
    ) async throws(HTTPFailure) -> Route {
        do {
            let standing: EgressPolicy.Standing
            do { standing = try egress.standing(of: destination) } catch {
                throw HTTPFailure.refused(destination, error)
            }
            let addresses: [IPAddress] =
                if let address = IPAddress(destination.host) { [address] } else {
                    try await lookUp(destination.host)
                }
            for address in addresses {
                if let refusal = egress.refusal(of: address, port: destination.port, standing) {
                    throw HTTPFailure.refused(destination, refusal, address)
                }
            }
            guard let client = clients[standing] else { throw HTTPClientError.alreadyShutdown }
            return Route(client: client, address: addresses.first)
        } catch {
            var failure = HTTPFailure(
                error, calling: destination, timeoutMilliseconds: call.timeoutMilliseconds)
            if let origin { failure.message = "\(origin.name) redirected this call. \(failure.message)" }
            throw failure
        }
    }

    private func exchange(_ hop: Hop, _ route: Route, _ call: Call) async throws(HTTPFailure)
        -> HTTPReply
    {
        var sendings = 0
        while true {
            sendings += 1
            do {
                let reply = try await receive(message(of: hop), hop, route.client, call)
                return try reply.unpacked(from: hop.destination, limit: call.maxReplyBytes)
            } catch {
                if sendings < maxSendings, wasNotHandled(error) { continue }
                if let failure = await untrusted(error, hop.destination, route, call) { throw failure }
                throw HTTPFailure(
                    error, calling: hop.destination, timeoutMilliseconds: call.timeoutMilliseconds,
                    through: proxy)
            }
        }
    }

    private func message(of hop: Hop) -> HTTPClientRequest {
        var message = HTTPClientRequest(url: hop.destination.url)
        message.tlsConfiguration = tls.special(for: hop.destination)
        message.method = HTTPMethod(rawValue: hop.method)
        message.headers = HTTPHeaders(hop.headers.map { ($0.name, $0.value) })
        if !message.headers.contains(name: "User-Agent") {
            message.headers.add(name: "User-Agent", value: "perigee")
        }
        if !message.headers.contains(name: "Accept-Encoding") {
            message.headers.add(name: "Accept-Encoding", value: acceptedCodings)
        }
        if !hop.body.isEmpty { message.body = .bytes(hop.body) }
        return message
    }

    private func receive(
        _ message: HTTPClientRequest, _ hop: Hop, _ client: HTTPClient, _ call: Call
    ) async throws -> HTTPReply {
        let response = try await client.execute(message, deadline: call.deadline)
        let length = response.headers.first(name: "Content-Length").flatMap { Int($0) }
        if hop.method != "HEAD", let length, length > call.maxReplyBytes {
            throw HTTPFailure.tooLarge(hop.destination, limit: call.maxReplyBytes, size: length)
        }
        var body: [UInt8] = []
        for try await part in response.body {
            guard part.readableBytes <= call.maxReplyBytes - body.count else {
                throw HTTPFailure.tooLarge(hop.destination, limit: call.maxReplyBytes)
            }
            body.append(contentsOf: part.readableBytesView)
        }
        // A cancelled task sees the end of the body where the reply is only cut off.
        try Task.checkCancellation()
        return HTTPReply(
            status: Int(response.status.code), headers: response.headers.map { ($0.name, $0.value) },
            body: body)
    }

    /// Whether the receiver never got to look at a request, because it was ending the connection of HTTP/2 that the
    /// request was put on (RFC 9113, 8.7): such a request may be sent once more, whatever it does.
    private func wasNotHandled(_ error: any Error) -> Bool {
        if let closed = error as? NIOHTTP2Errors.StreamClosed { return closed.errorCode == .refusedStream }
        if error is NIOHTTP2Errors.CreatedStreamAfterGoaway { return true }
        // The client says so of a request that came to a connection that was just ending.
        return error as? HTTPClientError == .cancelled && !Task.isCancelled
            && !isStopping.load(ordering: .relaxed)
    }

    /// What to tell of a certificate that was not accepted; nothing for other errors.
    private func untrusted(
        _ error: any Error, _ destination: Destination, _ route: Route, _ call: Call
    ) async -> HTTPFailure? {
        let isForAnother = error is NIOSSLExtraError
        guard isForAnother || isUntrustedCertificate(error) else { return nil }
        var chain: [Certificate] = []
        if proxy == nil, let address = route.address {
            chain = await presentedCertificates(of: destination, at: address, deadline: call.deadline)
        }
        return .untrusted(
            destination, CertificateFault(chain, isForAnother: isForAnother, now: Date()),
            isForAnother: isForAnother)
    }
}

/// By what a permitted call goes out.
private struct Route: Sendable {
    let client: HTTPClient
    /// One that its host leads to.
    let address: IPAddress?
}

/// What bounds an attempt over all of its redirects.
private struct Call: Sendable {
    let timeoutMilliseconds: Int
    let deadline: NIODeadline
    let maxReplyBytes: Int
}
