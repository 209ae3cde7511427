import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A server on 127.0.0.1 that does with each request what a test says, down to the bytes.
final class LocalServer: Sendable {
    enum Answer: Sendable {
        /// These bytes, then the connection stays open.
        case bytes(String)
        /// A reply of 200 with a body that need not be text.
        case raw(headers: [String], body: [UInt8])
        /// These bytes, then the connection is closed.
        case bytesThenClose(String)
        /// These bytes and nothing more, ever.
        case hang(after: String = "")
        /// The connection is torn down with a TCP reset.
        case reset
        /// These bytes, then the others again and again for as long as the client listens.
        case endless(after: String, of: String = "x")
        /// These bytes, then one more in every millisecond for as long as the client listens.
        case drip(after: String)
        /// These bytes once the future is there.
        case late(EventLoopFuture<Void>, String)
        /// The answer of a proxy to CONNECT, and then whatever a port of 127.0.0.1 says.
        case tunnel(to: Int)

        static func reply(_ status: String, headers: [String] = [], body: String = "") -> Answer {
            let lines = ["HTTP/1.1 \(status)"] + headers + ["Content-Length: \(body.utf8.count)", "", body]
            return .bytes(lines.joined(separator: "\r\n"))
        }

        static func redirect(_ status: Int, to location: String) -> Answer {
            .reply("\(status) Elsewhere", headers: ["Location: \(location)"])
        }
    }

    let port: Int
    let scheme: String
    /// One element for every connection that was closed.
    let closedConnections: AsyncStream<Void>
    private let channel: any Channel
    private let received: Received

    /// - Parameters:
    ///   - tls: makes it a server of https.
    ///   - answer: is given each request: its first line, headers and body as they came.
    init(
        tls: TLSConfiguration? = nil, _ answer: @escaping @Sendable (_ request: String) -> Answer
    ) async throws {
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        let received = Received()
        let (closed, sink) = AsyncStream.makeStream(of: Void.self)
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.closeFuture.whenComplete { _ in sink.yield() }
                return channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }
                    try channel.pipeline.syncOperations.addHandler(Conversation(answer, received))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
        scheme = tls == nil ? "http" : "https"
        closedConnections = closed
        self.received = received
    }

    var url: String { "\(scheme)://127.0.0.1:\(port)" }

    var requests: [String] { received.all.withLock { $0 } }

    func stop() async throws { try await channel.close() }
}

private final class Received: Sendable {
    let all = Mutex<[String]>([])
}

private final class Conversation: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: @Sendable (String) -> LocalServer.Answer
    private let received: Received
    private var pending = ""
    /// Where everything goes once this is a tunnel.
    private var tunnel: (any Channel)?

    init(_ answer: @escaping @Sendable (String) -> LocalServer.Answer, _ received: Received) {
        self.answer = answer
        self.received = received
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let tunnel {
            tunnel.writeAndFlush(unwrapInboundIn(data), promise: nil)
            return
        }
        pending += String(buffer: unwrapInboundIn(data))
        while let request = takeRequest() {
            received.all.withLock { $0.append(request) }
            perform(answer(request), context.channel)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        tunnel?.close(promise: nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A client that leaves early is what several tests are about; the close that follows is their signal.
        context.close(promise: nil)
    }

    private func takeRequest() -> String? {
        // What is not HTTP (the greeting of TLS) gets its answer at once.
        if let first = pending.unicodeScalars.first, !("A"..."Z").contains(first) {
            defer { pending = "" }
            return pending
        }
        guard let headEnd = pending.firstRange(of: "\r\n\r\n") else { return nil }
        let length =
            pending[..<headEnd.lowerBound].split(separator: "\r\n")
            .first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.split(separator: " ").last ?? "") } ?? 0
        let rest = pending[headEnd.upperBound...]
        guard rest.utf8.count >= length,
            let end = pending.utf8.index(headEnd.upperBound, offsetBy: length, limitedBy: pending.endIndex)
        else { return nil }
        defer { pending = String(pending[end...]) }
        return String(pending[..<end])
    }

    private func perform(_ answer: LocalServer.Answer, _ channel: any Channel) {
        switch answer {
        case .bytes(let text), .hang(after: let text):
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        case .raw(let headers, let body):
            let lines = ["HTTP/1.1 200 OK"] + headers + ["Content-Length: \(body.count)", "", ""]
            let head = ByteBuffer(string: lines.joined(separator: "\r\n"))
            channel.writeAndFlush(head, promise: nil)
            channel.writeAndFlush(ByteBuffer(bytes: body), promise: nil)
        case .bytesThenClose(let text):
            channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in channel.close(promise: nil) }
        case .reset:
            // Closing with no time to linger is what sends a reset.
            (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
                .whenComplete { _ in channel.close(promise: nil) }
        case .endless(after: let text, of: let filler):
            channel.writeAndFlush(ByteBuffer(string: text)).whenSuccess {
                pour(
                    ByteBuffer(string: String(repeating: filler, count: 65_536 / filler.utf8.count)),
                    into: channel)
            }
        case .drip(after: let text):
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
            let drops = channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(1)) {
                _ in
                channel.writeAndFlush(ByteBuffer(string: "x"), promise: nil)
            }
            channel.closeFuture.whenComplete { _ in drops.cancel() }
        case .late(let moment, let text):
            moment.whenSuccess { channel.writeAndFlush(ByteBuffer(string: text), promise: nil) }
        case .tunnel(to: let port): open(port, channel)
        }
    }

    private func open(_ port: Int, _ channel: any Channel) {
        let connecting = ClientBootstrap(group: channel.eventLoop)
            .channelInitializer { $0.pipeline.addHandler(Returning(to: channel)) }
            .connect(host: "127.0.0.1", port: port)
        connecting.assumeIsolated().whenSuccess { other in
            self.tunnel = other
            channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 Connected\r\n\r\n"), promise: nil)
        }
        connecting.whenFailure { _ in channel.close(promise: nil) }
    }
}

@Sendable private func pour(_ filler: ByteBuffer, into channel: any Channel) {
    channel.writeAndFlush(filler).whenSuccess { pour(filler, into: channel) }
}

/// The way back through a tunnel.
private final class Returning: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let client: any Channel

    init(to client: any Channel) { self.client = client }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        client.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { client.close(promise: nil) }
}
