import NIOCore
import NIOPosix
import Perigee
@testable import PerigeeHTTP
import Testing

@Suite(.timeLimit(.minutes(5))) struct MisbehaviourTests {
    @Test func `a connection that nobody reads at the other end ends in a timeout`() async throws {
        let silent = try ClosedPort(isSilent: true)
        try await withTransport(EgressPolicy(allowsLoopback: true)) { transport in
            let failure = try await transport.failure(
                of: HTTPRequest(
                    method: "POST", url: "http://127.0.0.1:\(silent.port)/",
                    body: [UInt8](repeating: 0, count: 1_000_000), timeoutMilliseconds: 1000))
            #expect(failure.kind == .timeout)
            #expect(failure.code == "PG2003")
        }
    }

    @Test func `a receiver that takes its time holds up nobody else`() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let moment = loop.makePromise(of: Void.self)
        let (arrived, sink) = AsyncStream.makeStream(of: Void.self)
        try await withServer { request in
            guard request.hasPrefix("GET /slow") else { return .reply("200 OK", body: "fast") }
            sink.yield()
            return .late(moment.futureResult, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        } run: { server, transport in
            async let slow = transport.get("\(server.url)/slow")
            for await _ in arrived { break }
            let fast = try await transport.get("\(server.url)/fast")
            #expect(fast.text == "fast")
            moment.succeed()
            let late = try await slow
            #expect(late.text == "late")
        }
    }

    @Test func `a body that comes a byte at a time ends with the time of the call`() async throws {
        try await withServer { _ in
            .drip(after: "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        } run: { server, transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: server.url, timeoutMilliseconds: 1000))
            #expect(failure.kind == .timeout)
            try await server.awaitClosedConnection()
        }
    }

    @Test func `headers without an end are cut off`() async throws {
        try await withServer { _ in
            .endless(after: "HTTP/1.1 200 OK\r\n", of: "X-More: \(String(repeating: "y", count: 1000))\r\n")
        } run: { server, transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.kind == .network)
            #expect(failure.message == "The headers of what 127.0.0.1:\(server.port) replied are too large.")
            try await server.awaitClosedConnection()
        }
    }

    @Test(arguments: ["HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"])
    func `interim replies without an end are no reply`(interim: String) async throws {
        try await withServer { _ in
            .endless(after: "", of: interim)
        } run: { server, transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: server.url, timeoutMilliseconds: 1000))
            #expect(failure.kind == .timeout || failure.kind == .network)
            try await server.awaitClosedConnection()
        }
    }

    @Test func `bytes beyond the announced length are not taken for the next reply`() async throws {
        try await withServer { request in
            request.hasPrefix("GET /first")
                ? .bytes(
                    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"
                        + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
                : .reply("200 OK", body: "two")
        } run: { server, transport in
            for _ in 1...5 {
                let first = try await transport.get("\(server.url)/first")
                #expect(first.text == "one")
                // The connection is closed for it, which the next call may find out only when it is under way.
                do {
                    let second = try await transport.get("\(server.url)/second")
                    #expect(second.text == "two")
                } catch let failure as HTTPFailure {
                    #expect(failure.kind == .network)
                }
            }
        }
    }

    @Test(arguments: [
        "Content-Length: 4\r\nContent-Length: 5", "Content-Length: -1", "Content-Length: 4x",
        "Content-Length: 99999999999999999999999", "Content-Length: 4, 4, 5",
        "Transfer-Encoding: chunked\r\nX: y\r\n\r\nzz",
    ])
    func `a length that is none, or two of them, is a network failure`(headers: String) async throws {
        try await withServer { _ in
            .bytesThenClose("HTTP/1.1 200 OK\r\n\(headers)\r\n\r\nbody")
        } run: { server, transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.kind == .network)
            #expect(failure.code == "PG2002")
            #expect(failure.message == "What 127.0.0.1:\(server.port) replied is not HTTP.")
        }
    }

    @Test func `an announced length beyond the limit is refused before the body`() async throws {
        try await withServer { _ in
            .hang(after: "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n")
        } run: { server, transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.kind == .limit)
            #expect(failure.message.contains("has 5000000 bytes"))
            try await server.awaitClosedConnection()
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct ProxyTests {
    @Test func `calls go through the proxy, by name, and the policy decides before`() async throws {
        let target = try await LocalServer { _ in .reply("200 OK", body: "through") }
        let port = target.port
        let proxy = try await LocalServer { _ in .tunnel(to: port) }
        let policy = EgressPolicy(deniedHosts: [try HostRule(parsing: "denied.example")])
        let given = try CallProxy(parsing: "http://me:s%3Ac@127.0.0.1:\(proxy.port)")
        let lookUp: HostLookup = { host in [IPAddress(v4: host == "in.example" ? 0x0A00_0001 : 0x0101_0101)] }
        try await withTransport(policy, proxy: given, lookUp: lookUp) { transport in
            #expect(try await transport.get("http://crm.example:8080/a").text == "through")
            for (url, code) in [
                ("http://in.example/", "PG2004"), ("https://127.0.0.1/", "PG2004"),
                ("http://denied.example/", "PG2180"),
            ] {
                let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: url))
                #expect(failure.code == code)
            }
        }
        #expect(proxy.requests.count == 1)
        let request = try #require(proxy.requests.first)
        #expect(request.hasPrefix("CONNECT crm.example:8080 HTTP/1.1\r\n"))
        #expect(request.lowercased().contains("proxy-authorization: basic bwu6czpj\r\n".lowercased()))
        let received = try #require(target.requests.first)
        #expect(received.contains("crm.example:8080\r\n") && !received.lowercased().contains("proxy-auth"))
        try await target.stop()
        try await proxy.stop()
    }

    @Test func `what goes through a proxy to https is verified as ever`() async throws {
        let folder = try TestFolder()
        let root = try TestCertificate.authority()
        let leaf = try TestCertificate("crm", hosts: ["crm.example"], signedBy: root)
        let target = try await LocalServer(tls: try leaf.server()) { _ in .reply("200 OK", body: "sealed") }
        let port = target.port
        let proxy = try await LocalServer { _ in .tunnel(to: port) }
        let tls = try CallTLS(authorities: [try folder.file("ca.pem", root.pem())])
        let given = try CallProxy(parsing: "http://127.0.0.1:\(proxy.port)/")
        let lookUp: HostLookup = { _ in [IPAddress(v4: 0x0101_0101)] }
        try await withTransport(tls: tls, proxy: given, lookUp: lookUp) { transport in
            #expect(try await transport.get("https://crm.example/").text == "sealed")
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "https://other.example/"))
            #expect(failure.code == "PG2181")
            #expect(failure.message.hasSuffix("its certificate is for another name."))
        }
        try await target.stop()
        try await proxy.stop()
    }

    @Test(arguments: [
        ("407 Authenticate", "The proxy wants a user name and a password, or others than it was given."),
        ("403 Forbidden", "The proxy did not let the call to 1.1.1.1:80 through."),
    ])
    func `a proxy that refuses is told apart from the receiver`(status: String, message: String) async throws
    {
        let proxy = try await LocalServer { _ in .reply(status) }
        try await withTransport(proxy: try CallProxy(parsing: proxy.url)) { transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: "http://1.1.1.1/"))
            #expect(failure.kind == .network)
            #expect(failure.code == "PG2185")
            #expect(failure.message == message)
        }
        try await proxy.stop()
    }

    @Test func `a proxy that is not there is named`() async throws {
        let closed = try ClosedPort()
        let proxy = try CallProxy(parsing: "http://127.0.0.1:\(closed.port)")
        try await withTransport(proxy: proxy) { transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: "http://1.1.1.1/"))
            #expect(failure.code == "PG2185")
            #expect(
                failure.message
                    == "Could not connect to the proxy 127.0.0.1:\(closed.port): connection refused.")
        }
    }

    @Test(arguments: [
        "", "proxy:3128", "http://proxy", "https://proxy:3128", "socks5://proxy:1080", "http://:3128",
        "http://proxy:0", "http://proxy:3128/path", "http://proxy:3128?x", "http://a b:3128",
    ])
    func `what is no proxy is refused without being quoted`(text: String) {
        let error = #expect(throws: CallProxyError.self) { try CallProxy(parsing: text) }
        #expect(error?.code == "PG2184")
    }
}
