import Foundation
import Perigee
@testable import PerigeeHTTP
import Testing

@Suite struct ContentCodingTests {
    private static let text = String(repeating: "hello ", count: 20)
    private static let gzip = bytes("H4sIAAAAAAACA8tIzcnJV8igOwkAL/r4SHgAAAA=")
    private static let deflate = bytes("eJzLSM3JyVfIoDsJAHe6LBE=")

    private static func bytes(_ base64: String) -> [UInt8] { Array(Data(base64Encoded: base64) ?? Data()) }

    @Test(arguments: [("gzip", gzip), ("x-gzip", gzip), ("Deflate", deflate)])
    func `a packed reply is unpacked, and its headers tell of the body as it is`(
        _ coding: String, _ body: [UInt8]
    ) async throws {
        try await withServer { _ in
            .raw(headers: ["Content-Encoding: \(coding)", "X-Kept: 1"], body: body)
        } run: { server, transport in
            let reply = try await transport.get(server.url)
            #expect(reply.text == ContentCodingTests.text)
            #expect(reply.headers.map(\.name) == ["X-Kept"])
            #expect(server.requests.first?.contains("Accept-Encoding: gzip, deflate\r\n") == true)
        }
    }

    @Test func `a reply that is larger than the call takes once unpacked is refused`() async throws {
        try await withServer { _ in
            .raw(headers: ["Content-Encoding: gzip"], body: ContentCodingTests.gzip)
        } run: { server, transport in
            let exact = HTTPRequest(method: "GET", url: server.url, maxReplyBytes: 120)
            #expect(try await transport.send(exact).body.count == 120)
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: server.url, maxReplyBytes: 119))
            #expect(failure.kind == .limit)
            #expect(failure.code == "PG2005")
            #expect(failure.message.hasSuffix("is larger than 119 bytes."))
            #expect(failure.hint.contains("max_bytes"))
        }
    }

    @Test(arguments: [
        Array("hello".utf8), Array(gzip.dropLast(12)), Array(gzip.prefix(20)) + Array(gzip.prefix(20)),
    ])
    func `a reply that is not packed as it says is an error that may pass`(_ body: [UInt8]) async throws {
        try await withServer { _ in
            .raw(headers: ["Content-Encoding: gzip"], body: body)
        } run: { server, transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.kind == .network)
            #expect(failure.code == "PG2162")
        }
    }

    @Test func `what has no body, or is packed otherwise, stays as it came`() async throws {
        try await withServer { request in
            request.hasPrefix("HEAD")
                ? .bytes("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 39\r\n\r\n")
                : request.contains("/empty")
                    ? .raw(headers: ["Content-Encoding: gzip"], body: [])
                    : .raw(headers: ["Content-Encoding: br"], body: [0xFF, 0, 0xFE])
        } run: { server, transport in
            let head = try await transport.send(HTTPRequest(method: "HEAD", url: server.url).patient)
            #expect(head.header("Content-Encoding") == "gzip")
            #expect(try await transport.get("\(server.url)/empty").body.isEmpty)
            let own = try await transport.get(server.url, headers: [("Accept-Encoding", "br")])
            #expect(own.body == [0xFF, 0, 0xFE])
            #expect(own.header("Content-Encoding") == "br")
            #expect(server.requests.last?.contains("Accept-Encoding: br\r\n") == true)
        }
    }

    @Test func `a reply that says it is too large is refused with its size`() async throws {
        try await withServer { _ in
            .bytes("HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n")
        } run: { server, transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.message.hasSuffix("has 5000000 bytes, which is larger than 1 MiB."))
            #expect(failure.hint.contains("max_bytes"))
        }
    }
}
