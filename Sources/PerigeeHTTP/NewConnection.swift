import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

private let silentMilliseconds = 30_000

/// Ends a connection before the first request on it when its other end is not permitted.
///
/// A name can lead elsewhere when the client looks it up a second time; this sees the address that it took.
func refuseUnpermitted(
    _ channel: any Channel, _ egress: EgressPolicy, _ standing: EgressPolicy.Standing
) -> EventLoopFuture<Void> {
    guard let remote = channel.remoteAddress, let port = remote.port,
        let address = remote.ipAddress.flatMap(IPAddress.init)
    else {
        return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
    }
    guard let refusal = egress.refusal(of: address, port: port, standing) else {
        return channel.eventLoop.makeSucceededVoidFuture()
    }
    // The client must hear of the failure first: it takes a connection that closes while it starts for lost.
    channel.eventLoop.execute { channel.close(promise: nil) }
    return channel.eventLoop.makeFailedFuture(RefusedAddress(address: address, refusal: refusal))
}

/// Ends a connection whose other end takes nothing of what it is sent any more, for half a minute.
///
/// Many calls share a connection of HTTP/2, and one that timed out does not end it: without this, every call to a
/// receiver that vanished would wait on the same dead connection until the system gives it up, a quarter of an hour.
func boundSilence(_ channel: any Channel) -> EventLoopFuture<Void> {
    #if os(Linux)
        channel.setOption(.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), value: silentMilliseconds)
    #else
        channel.eventLoop.makeSucceededVoidFuture()
    #endif
}
