import Foundation
import Perigee
@testable import PerigeeHTTP
import Testing

/// Calls to a real server of HTTP/2 over TLS, with a server of these tests behind it.
@Suite(.timeLimit(.minutes(5))) struct NginxTests {
    private struct Site {
        let nginx: Nginx
        let upstream: LocalServer
        let root: TestCertificate
        let tls: CallTLS
        /// Speaks HTTP/2.
        var url: String { "https://localhost:\(nginx.ports[0])" }
        /// Speaks HTTP/1.1 alone.
        var oldURL: String { "https://localhost:\(nginx.ports[1])" }
    }

    private static let body = String(repeating: "Perigee ", count: 2000)

    private func withSite(
        _ policy: EgressPolicy = EgressPolicy(allowsLoopback: true),
        lookUp: @escaping HostLookup = systemLookup,
        upstream answer: @escaping @Sendable (_ request: String) -> LocalServer.Answer = { _ in
            .reply("200 OK", headers: ["Content-Type: text/plain"], body: NginxTests.body)
        },
        run: (Site, AsyncHTTPTransport) async throws -> Void
    ) async throws {
        let folder = try TestFolder()
        let root = try TestCertificate.authority()
        let leaf = try TestCertificate.local(signedBy: root)
        let authority = try folder.file("ca.pem", root.pem())
        let certificate = try folder.file("leaf.pem", leaf.pem())
        let key = try folder.file("leaf.key", leaf.keyPEM())
        let client = try TestCertificate("perigee", signedBy: root)
        let both = try folder.file("client.pem", client.pem() + client.keyPEM())
        let upstream = try await LocalServer(answer)
        let nginx = try Nginx(in: folder.url, ports: 2) { ports in
            zip(ports, ["http2", ""]).map { port, http2 in
                """
                server {
                    listen 127.0.0.1:\(port) ssl \(http2);
                    server_name localhost;
                    ssl_certificate \(certificate); ssl_certificate_key \(key);
                    ssl_client_certificate \(authority); ssl_verify_client optional;
                    keepalive_requests 20;
                    gzip on; gzip_min_length 1; gzip_proxied any;
                    location / { proxy_pass http://127.0.0.1:\(upstream.port); proxy_buffering off; }
                    location = /about { return 200 "$server_protocol $connection $ssl_client_verify"; }
                }
                """
            }.joined(separator: "\n")
        }
        let tls = try CallTLS(
            authorities: [authority],
            clientCertificates: [
                try ClientCertificate(
                    host: try HostRule(parsing: "localhost:\(nginx.ports[0])"), certificate: both)
            ])
        let site = Site(nginx: nginx, upstream: upstream, root: root, tls: tls)
        try await withTransport(policy, tls: tls, lookUp: lookUp) { try await run(site, $0) }
        try await upstream.stop()
    }

    @Test func `HTTP/2 is spoken where it is offered, over one connection, and HTTP/1.1 elsewhere`()
        async throws
    {
        try await withSite { site, transport in
            let first = try await transport.get("\(site.url)/about").text.split(separator: " ")
            let second = try await transport.get("\(site.url)/about").text.split(separator: " ")
            #expect(first == second)
            #expect(first.first == "HTTP/2.0" && first.last == "SUCCESS")
            let old = try await transport.get("\(site.oldURL)/about").text.split(separator: " ")
            #expect(old.first == "HTTP/1.1" && old.last == "NONE")
        }
    }

    @Test func `a call over HTTP/2 sends its method, headers and body, and its packed reply is unpacked`()
        async throws
    {
        try await withSite { site, transport in
            let body = [UInt8](repeating: UInt8(ascii: "b"), count: 300_000)
            let reply = try await transport.send(
                HTTPRequest(
                    method: "POST", url: "\(site.url)/quotes?draft=1",
                    headers: [("Idempotency-Key", "k1"), ("Connection", "close"), ("X-Empty", "")], body: body
                ).patient)
            #expect(reply.status == 200)
            #expect(reply.text == NginxTests.body)
            #expect(reply.header("content-encoding") == nil)
            let request = try #require(site.upstream.requests.first)
            #expect(request.hasPrefix("POST /quotes?draft=1 HTTP/1.0\r\n"))
            #expect(request.lowercased().contains("\r\nidempotency-key: k1\r\n"))
            #expect(request.hasSuffix("\r\n\r\n" + String(decoding: body, as: UTF8.self)))
        }
    }

    @Test func `many calls at once, and a server that ends connections while they are made, lose no call`()
        async throws
    {
        try await withSite { site, transport in
            let url = site.url
            for _ in 1...3 {
                let bodies = try await withThrowingTaskGroup(of: String.self) { group in
                    for number in 1...50 {
                        group.addTask { try await transport.get("\(url)/\(number)").text }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(bodies.count == 50 && Set(bodies) == [NginxTests.body])
            }
        }
    }

    @Test func `a name that leads to a private address on the second lookup is refused over HTTP/2 too`()
        async throws
    {
        try await withSite(EgressPolicy(), lookUp: { _ in [IPAddress(v4: 0x0101_0101)] }) { site, transport in
            for _ in 1...3 {
                let failure = try await transport.failure(
                    of: HTTPRequest(method: "GET", url: "\(site.url)/about"))
                #expect(failure.kind == .rejected)
                #expect(failure.code == "PG2004")
                #expect(failure.message.contains("leads to 127.0.0.1"))
            }
            #expect(site.upstream.requests.isEmpty && site.nginx.log.isEmpty)
        }
    }

    @Test func `a reply over HTTP/2 is bounded in size and in time, and the connection serves on`()
        async throws
    {
        try await withSite(upstream: { request in
            request.hasPrefix("GET /endless") ? .endless(after: "HTTP/1.1 200 OK\r\n\r\n") : .hang()
        }) { site, transport in
            let before = try await transport.get("\(site.url)/about").text
            let endless = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "\(site.url)/endless"))
            #expect(endless.kind == .limit)
            #expect(endless.code == "PG2005")
            let hanging = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "\(site.url)/hang", timeoutMilliseconds: 1000))
            #expect(hanging.kind == .timeout)
            #expect(try await transport.get("\(site.url)/about").text == before)
        }
    }

    @Test func `a reply over HTTP/2 that stops in the middle is a network failure`() async throws {
        try await withSite(upstream: { _ in
            .bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        }) { site, transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: "\(site.url)/half"))
            #expect(failure.kind == .network)
            #expect(failure.code == "PG2002")
            #expect(
                failure.message
                    == "localhost:\(site.nginx.ports[0]) broke off its reply.")
        }
    }
}
