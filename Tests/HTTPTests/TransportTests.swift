import Perigee
@testable import PerigeeHTTP
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

@Suite struct TransportTests {
    @Test func `a call sends its method, path, query, headers and body, and gives the whole reply`()
        async throws
    {
        try await withServer { _ in
            .reply("201 Created", headers: ["X-Twice: a", "X-Twice: b"], body: #"{"id":7}"#)
        } run: { server, transport in
            let reply = try await transport.send(
                HTTPRequest(
                    method: "POST", url: "\(server.url)/quotes?draft=1", headers: [("Idempotency-Key", "k1")],
                    body: Array(#"{"n":1}"#.utf8)
                ).patient)
            #expect(reply.status == 201)
            #expect(reply.text == #"{"id":7}"#)
            #expect(reply.headers.filter { $0.name == "X-Twice" }.map(\.value) == ["a", "b"])
            let request = try #require(server.requests.first)
            #expect(request.hasPrefix("POST /quotes?draft=1 HTTP/1.1\r\n"))
            #expect(request.contains("Idempotency-Key: k1\r\n"))
            #expect(request.contains("User-Agent: perigee\r\n"))
            #expect(request.hasSuffix(#"{"n":1}"#))
        }
    }

    @Test(arguments: [404, 422, 429, 500, 503])
    func `a reply of any status is a reply`(status: Int) async throws {
        try await withServer { _ in
            .reply("\(status) So")
        } run: { server, transport in
            let reply = try await transport.get(server.url)
            #expect(reply.status == status)
        }
    }

    @Test func `the reply to HEAD has the length of a body and no body`() async throws {
        try await withServer { _ in
            .bytes("HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n")
        } run: {
            server, transport in
            let reply = try await transport.send(HTTPRequest(method: "HEAD", url: server.url).patient)
            #expect(reply.status == 200)
            #expect(reply.body.isEmpty)
        }
    }

    @Test func `a closed port is a refused connection`() async throws {
        let closed = try ClosedPort()
        try await withTransport(EgressPolicy(allowsLoopback: true)) { transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "http://127.0.0.1:\(closed.port)/a/path?token=SECRET"))
            #expect(failure.kind == .network)
            #expect(failure.code == "PG2002")
            #expect(failure.message == "Could not connect to 127.0.0.1:\(closed.port): connection refused.")
        }
    }

    @Test func `a reset connection is a network failure`() async throws {
        try await withServer { _ in
            .reset
        } run: { server, transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.kind == .network)
            #expect(failure.code == "PG2002")
            #expect(failure.message.contains("connection before its reply was complete"))
        }
    }

    @Test func `a reply that stops in the middle of its body is a network failure`() async throws {
        try await withServer { _ in
            .bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        } run: {
            server, transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.kind == .network)
            #expect(failure.message.contains("connection before its reply was complete"))
        }
    }

    @Test func `a reply that is not HTTP is a network failure`() async throws {
        try await withServer { _ in
            .bytes("220 mail.example ESMTP\r\n")
        } run: { server, transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.kind == .network)
            #expect(failure.message == "What 127.0.0.1:\(server.port) replied is not HTTP.")
        }
    }

    @Test func `a server that does not speak TLS fails a call over https with a sentence about it`()
        async throws
    {
        try await withServer { _ in
            .bytes("HTTP/1.1 400 Bad Request\r\n\r\n")
        } run: { server, transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "https://127.0.0.1:\(server.port)/"))
            #expect(failure.kind == .network)
            #expect(
                failure.message.hasPrefix("Could not set up a secure connection to 127.0.0.1:\(server.port)"))
        }
    }

    @Test func `a name without an address is a network failure that names it`() async throws {
        try await withTransport(lookUp: { _ in throw LookupFailure.unknownName }) { transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "https://crm.exmple/x"))
            #expect(failure.kind == .network)
            #expect(failure.message == "There is no host with the name crm.exmple.")
        }
    }

    @Test func `the system's resolver knows this machine and refuses reserved names`() async throws {
        #expect(try await systemLookup("localhost").allSatisfy(\.isLoopback))
        await #expect(throws: LookupFailure.self) { try await systemLookup("no-such-host.invalid") }
    }

    @Test func `a call after shutdown says that the host is stopping`() async throws {
        let transport = AsyncHTTPTransport(egress: EgressPolicy(allowsLoopback: true))
        try await transport.shutdown()
        let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: "http://127.0.0.1:9/"))
        #expect(failure.kind == .network)
        #expect(failure.message == "127.0.0.1:9 was not called: this host is stopping.")
    }

    @Test func `proxy variables of the environment are not honoured`() async {
        await #expect(processExitsWith: .success) {
            for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
                setenv(name, "http://127.0.0.1:1", 1)
            }
            try await withServer { _ in
                .reply("200 OK", body: "direct")
            } run: { server, transport in
                let reply = try await transport.get(server.url)
                guard reply.text == "direct" else { throw UnexpectedReply(status: reply.status) }
            }
        }
    }
}

@Suite struct BoundsTests {
    @Test func `a server that never answers ends in a timeout, and its connection is closed`() async throws {
        try await withServer { _ in
            .hang()
        } run: { server, transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "\(server.url)/?token=SECRET", timeoutMilliseconds: 1000))
            #expect(failure.kind == .timeout)
            #expect(failure.code == "PG2003")
            #expect(failure.message == "127.0.0.1:\(server.port) did not answer in full within 1 s.")
            try await server.awaitClosedConnection()
        }
    }

    @Test func `the timeout also bounds the body`() async throws {
        try await withServer { _ in
            .hang(after: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        } run: {
            server, transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: server.url, timeoutMilliseconds: 1000))
            #expect(failure.kind == .timeout)
            try await server.awaitClosedConnection()
        }
    }

    @Test func `the timeout also bounds a lookup that can't be interrupted`() async throws {
        let (never, sink) = AsyncStream.makeStream(of: Void.self)
        try await withTransport(lookUp: { _ in
            for await _ in never {}
            throw CancellationError()
        }) { transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "https://crm.example/", timeoutMilliseconds: 20))
            #expect(failure.kind == .timeout)
        }
        sink.finish()
    }

    @Test func `the timeout also bounds what a redirect leads to`() async throws {
        try await withServer { request in
            request.hasPrefix("GET /start") ? .redirect(302, to: "/slow") : .hang()
        } run: { server, transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "\(server.url)/start", timeoutMilliseconds: 1000))
            #expect(failure.kind == .timeout)
            #expect(server.requests.count == 2)
        }
    }

    @Test func `an endless reply is cut off at the limit`() async throws {
        try await withServer { _ in
            .endless(after: "HTTP/1.1 200 OK\r\n\r\n")
        } run: { server, transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.kind == .limit)
            #expect(failure.code == "PG2005")
            #expect(failure.message == "The reply of 127.0.0.1:\(server.port) is larger than 1 MiB.")
            try await server.awaitClosedConnection()
        }
    }

    @Test func `a reply of exactly the limit is taken, one byte more is not`() async throws {
        try await withServer { _ in
            .reply("200 OK", body: "12345")
        } run: { server, transport in
            let exact = HTTPRequest(method: "GET", url: server.url, maxReplyBytes: 5)
            #expect(try await transport.send(exact).text == "12345")
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: server.url, maxReplyBytes: 4))
            #expect(failure.message.hasSuffix("is larger than 4 bytes."))
        }
    }

    @Test func `a cancelled call ends at once and is not taken for a timeout`() async throws {
        let (arrived, sink) = AsyncStream.makeStream(of: Void.self)
        try await withServer { _ in
            sink.yield()
            return .hang()
        } run: { server, transport in
            let call = Task { try await transport.failure(of: HTTPRequest(method: "GET", url: server.url)) }
            for await _ in arrived { break }
            call.cancel()
            let failure = try await call.value
            #expect(failure.kind == .network)
            #expect(failure.message == "The call was broken off before it was answered.")
        }
    }
}

extension LocalServer {
    func awaitClosedConnection() async throws {
        for await _ in closedConnections { return }
        throw CancellationError()
    }
}
