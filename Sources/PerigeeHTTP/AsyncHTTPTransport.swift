import AsyncHTTPClient
import NIOCore
import NIOHTTP1
public import Perigee

let maxRedirects = 5
let maxConnectionsPerHost = 256
let connectSeconds = 10

/// Sends the calls of workflows over the network.
///
/// An address that the policy does not permit is refused before anything is sent, also behind a redirect. The
/// proxy variables of the environment are not honoured: a proxy would hide from the policy who is called.
/// Call ``shutdown()`` before letting go of it.
public final class AsyncHTTPTransport: HTTPTransport {
    private let egress: EgressPolicy
    private let lookUp: HostLookup
    /// For everything that the policy decides by address.
    private let guarded: HTTPClient
    /// For the hosts that the policy opens by name, wherever they are.
    ///
    /// Apart from the other one because connections are pooled, and a check at the start of a connection
    /// can't see for which call it is made.
    private let opened: HTTPClient

    /// - Parameter egress: which addresses may be called.
    public convenience init(egress: EgressPolicy = EgressPolicy()) {
        self.init(egress: egress, lookUp: systemLookup)
    }

    init(egress: EgressPolicy, lookUp: @escaping HostLookup) {
        self.egress = egress
        self.lookUp = lookUp
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = .seconds(Int64(connectSeconds))
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = maxConnectionsPerHost
        // Retries are the policy of the call, and a person should not wait to hear that nobody listens there.
        configuration.connectionPool.retryConnectionEstablishment = false
        opened = HTTPClient(configuration: configuration)
        configuration.http1_1ConnectionDebugInitializer = { channel in refuseUnpermitted(channel, egress) }
        guarded = HTTPClient(configuration: configuration)
    }

    /// Closes every connection; calls under way fail.
    ///
    /// - Throws: an error of the client, also when it was shut down before.
    public func shutdown() async throws {
        async let first: Void = guarded.shutdown()
        try await opened.shutdown()
        try await first
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
                let client = try await permittedClient(for: hop.destination, after: origin, call)
                let reply = try await exchange(hop, client, call)
                guard let next = try hop.following(reply) else { return .success(reply) }
                origin = hop.destination
                hop = next
            }
            throw .tooManyRedirects(first.destination)
        } catch {
            return .failure(error)
        }
    }

    private func permittedClient(
        for destination: Destination, after origin: Destination?, _ call: Call
    ) async throws(HTTPFailure) -> HTTPClient {
        if egress.opens(host: destination.host, port: destination.port) { return opened }
        do {
            let addresses: [IPAddress] =
                if let address = IPAddress(destination.host) { [address] } else {
                    try await lookUp(destination.host)
                }
            guard let refused = addresses.first(where: { !egress.permits($0) }) else { return guarded }
            throw HTTPFailure.refused(destination, refused)
        } catch {
            var failure = HTTPFailure(
                error, calling: destination, timeoutMilliseconds: call.timeoutMilliseconds)
            if let origin { failure.message = "\(origin.name) redirected this call. \(failure.message)" }
            throw failure
        }
    }

    private func exchange(_ hop: Hop, _ client: HTTPClient, _ call: Call) async throws(HTTPFailure)
        -> HTTPReply
    {
        var message = HTTPClientRequest(url: hop.destination.url)
        message.method = HTTPMethod(rawValue: hop.method)
        message.headers = HTTPHeaders(hop.headers.map { ($0.name, $0.value) })
        if !message.headers.contains(name: "User-Agent") {
            message.headers.add(name: "User-Agent", value: "perigee")
        }
        if !message.headers.contains(name: "Accept-Encoding") {
            message.headers.add(name: "Accept-Encoding", value: acceptedCodings)
        }
        if !hop.body.isEmpty { message.body = .bytes(hop.body) }
        do {
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
            let reply = HTTPReply(
                status: Int(response.status.code), headers: response.headers.map { ($0.name, $0.value) },
                body: body)
            return try reply.unpacked(from: hop.destination, limit: call.maxReplyBytes)
        } catch {
            throw HTTPFailure(error, calling: hop.destination, timeoutMilliseconds: call.timeoutMilliseconds)
        }
    }
}

/// What bounds an attempt over all of its redirects.
private struct Call: Sendable {
    let timeoutMilliseconds: Int
    let deadline: NIODeadline
    let maxReplyBytes: Int
}

/// Ends a connection before the first request on it when its other end is not permitted.
///
/// A name can lead elsewhere when the client looks it up a second time; this sees the address that it took.
private func refuseUnpermitted(_ channel: any Channel, _ egress: EgressPolicy) -> EventLoopFuture<Void> {
    guard let address = channel.remoteAddress?.ipAddress.flatMap(IPAddress.init) else {
        return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
    }
    guard !egress.permits(address) else { return channel.eventLoop.makeSucceededVoidFuture() }
    // The client must hear of the failure first: it takes a connection that closes while it starts for lost.
    channel.eventLoop.execute { channel.close(promise: nil) }
    return channel.eventLoop.makeFailedFuture(RefusedAddress(address: address))
}
