import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPCompression
import Perigee

/// What servers may pack replies with, for `Accept-Encoding`.
let acceptedCodings = "gzip, deflate"

extension HTTPReply {
    /// The reply with its body unpacked, if it came as gzip or deflate (RFC 9110, 8.4.1).
    ///
    /// The headers that tell of the packed form are left out then.
    /// - Parameters:
    ///   - destination: who sent it, for errors.
    ///   - limit: the largest body, in bytes as unpacked.
    /// - Throws: ``HTTPFailure`` for a body that is larger, or damaged.
    func unpacked(from destination: Destination, limit: Int) throws(HTTPFailure) -> HTTPReply {
        guard !body.isEmpty, let coding = header("Content-Encoding")?.lowercased(),
            ["gzip", "x-gzip", "deflate"].contains(coding)
        else { return self }
        var reply = self
        do { reply.body = try inflate(body, limit: limit) } catch NIOHTTPDecompression.DecompressionError
            .limit
        {
            throw .tooLarge(destination, limit: limit)
        } catch {
            throw .damaged(destination, coding: coding)
        }
        reply.headers.removeAll { ["content-encoding", "content-length"].contains($0.name.lowercased()) }
        return reply
    }
}

/// The bytes that gzip or zlib packed; which of the two, they say themselves.
private func inflate(_ packed: [UInt8], limit: Int) throws -> [UInt8] {
    let channel = EmbeddedChannel(handler: NIOHTTPResponseDecompressor(limit: .size(limit)))
    defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
    let headers = HTTPHeaders([("Content-Encoding", "gzip")])
    let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
    try channel.writeInbound(HTTPClientResponsePart.head(head))
    try channel.writeInbound(HTTPClientResponsePart.body(ByteBuffer(bytes: packed)))
    try channel.writeInbound(HTTPClientResponsePart.end(nil))
    var body: [UInt8] = []
    while let part = try channel.readInbound(as: HTTPClientResponsePart.self) {
        if case .body(let buffer) = part { body.append(contentsOf: buffer.readableBytesView) }
    }
    return body
}
