import NIOCore
import NIOHTTP1
import NIOPosix

/// A kept HTTP/1.1 connection to this machine that sends one POST after the other, with as little as there can be
/// between the caller and the socket.
struct PostConnection: Sendable {
    struct Reply: Sendable {
        var status: Int
        var hasRetryAfter: Bool
        var body: ByteBuffer
    }

    private let channel: any Channel

    static func open(port: Int) async throws -> PostConnection {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(Posting(port: port))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return PostConnection(channel: channel)
    }

    /// Sends a body of JSON, once the reply to the one before has come.
    func post(_ path: String, _ body: ByteBuffer) async throws -> Reply {
        let reply = channel.eventLoop.makePromise(of: Reply.self)
        channel.writeAndFlush(Post(path: path, body: body, reply: reply), promise: nil)
        return try await reply.futureResult.get()
    }

    func close() async throws {
        guard channel.isActive else { return }
        try await channel.close()
    }
}

private struct Post: Sendable {
    var path: String
    var body: ByteBuffer
    var reply: EventLoopPromise<PostConnection.Reply>
}

private final class Posting: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = Post
    typealias OutboundOut = HTTPClientRequestPart

    private let host: String
    private var waiting: EventLoopPromise<PostConnection.Reply>?
    private var reply = PostConnection.Reply(status: 0, hasRetryAfter: false, body: ByteBuffer())

    init(port: Int) {
        host = "127.0.0.1:\(port)"
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let post = unwrapOutboundIn(data)
        guard context.channel.isActive else { return post.reply.fail(Posting.closed) }
        waiting = post.reply
        let headers: HTTPHeaders = [
            "Host": host, "Content-Type": "application/json", "Content-Length": "\(post.body.readableBytes)",
        ]
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: post.path, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(post.body))), promise: nil)
        context.write(wrapOutboundOut(.end(nil)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            reply.status = Int(head.status.code)
            reply.hasRetryAfter = head.headers.contains(name: "Retry-After")
            reply.body.clear()
        case .body(var part): reply.body.writeBuffer(&part)
        case .end:
            waiting?.succeed(reply)
            waiting = nil
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(Posting.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error)
        context.close(promise: nil)
    }

    private func fail(_ error: any Error) {
        waiting?.fail(error)
        waiting = nil
    }

    private static let closed = BenchmarkError("The server closed a connection that was in use.")
}
