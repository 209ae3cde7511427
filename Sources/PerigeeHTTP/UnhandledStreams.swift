import NIOCore
import NIOHTTP2

/// Tells requests that a receiver never looked at from those that it gave up.
///
/// A receiver that ends a connection of HTTP/2 says which request was the last one that it took (RFC 9113, 6.8). The
/// library closes the later ones with the same reason that a request under way can have; here they get their own.
final class UnhandledStreams: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    private var lastTaken: HTTP2StreamID?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .goAway(let last, _, _) = unwrapInboundIn(data).payload { lastTaken = last }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let closed = event as? StreamClosedEvent, let lastTaken, closed.streamID > lastTaken else {
            return context.fireUserInboundEventTriggered(event)
        }
        context.fireUserInboundEventTriggered(
            StreamClosedEvent(streamID: closed.streamID, reason: .refusedStream))
    }

    /// Watches a connection from its start.
    static func watch(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let http2 = try pipeline.handler(type: NIOHTTP2Handler.self)
            try pipeline.addHandler(UnhandledStreams(), position: .after(http2))
        }
    }
}
