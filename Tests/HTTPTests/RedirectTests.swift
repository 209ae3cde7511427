import Perigee
@testable import PerigeeHTTP
import Testing

@Suite struct RedirectTests {
    @Test(arguments: [301, 302, 303, 307, 308])
    func `a GET follows a redirect`(status: Int) async throws {
        try await withServer { request in
            request.hasPrefix("GET /old ")
                ? .redirect(status, to: "/new?a=1") : .reply("200 OK", body: "here")
        } run: { server, transport in
            let reply = try await transport.get("\(server.url)/old", headers: [("Authorization", "Bearer t")])
            #expect(reply.text == "here")
            #expect(server.requests[1].hasPrefix("GET /new?a=1 "))
            #expect(server.requests[1].contains("Authorization: Bearer t"))
        }
    }

    @Test(arguments: ["POST", "PUT", "PATCH", "DELETE"])
    func `any other method is given the redirect as its reply`(method: String) async throws {
        try await withServer { _ in
            .redirect(303, to: "/new")
        } run: { server, transport in
            let reply = try await transport.send(HTTPRequest(method: method, url: server.url).patient)
            #expect(reply.status == 303)
            #expect(reply.header("location") == "/new")
            #expect(server.requests.count == 1)
        }
    }

    @Test func `five redirects are followed and a sixth is refused`() async throws {
        let countdown: @Sendable (String) -> LocalServer.Answer = { request in
            let number = Int(request.dropFirst("GET /".count).prefix { $0.isNumber }) ?? 0
            return number == 0 ? .reply("200 OK", body: "end") : .redirect(302, to: "/\(number - 1)")
        }
        try await withServer(countdown) { server, transport in
            #expect(try await transport.get("\(server.url)/5").text == "end")
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: "\(server.url)/6"))
            #expect(failure.kind == .rejected)
            #expect(failure.code == "PG2007")
            #expect(failure.message == "127.0.0.1:\(server.port) redirected more than 5 times.")
        }
    }

    @Test func `credentials stay behind when a redirect leads to another port`() async throws {
        let other = try await LocalServer { _ in .reply("200 OK") }
        let location = "\(other.url)/"
        try await withServer { _ in
            .redirect(307, to: location)
        } run: { server, transport in
            _ = try await transport.get(
                server.url,
                headers: [
                    ("Authorization", "s1"), ("Cookie", "s2"), ("X-Api-Key", "s3"), ("X-Auth-TOKEN", "s4"),
                    ("Client-Secret", "s5"), ("Accept", "text/plain"),
                ])
            let first = try #require(server.requests.first)
            #expect(["s1", "s2", "s3", "s4", "s5"].allSatisfy { first.contains(": \($0)\r\n") })
            let second = try #require(other.requests.first)
            #expect(["s1", "s2", "s3", "s4", "s5"].allSatisfy { !second.contains($0) })
            #expect(second.contains("Accept: text/plain\r\n"))
        }
        try await other.stop()
    }

    @Test func `a header that holds a secret stays behind whatever its name is`() throws {
        let request = HTTPRequest(
            method: "GET", url: "https://a.example/x", headers: [("X-Tenant", "s"), ("X-Page", "2")],
            secretHeaders: ["x-tenant"])
        func names(after locations: String...) throws -> [String] {
            var hop = try Hop(request)
            for location in locations {
                let reply = HTTPReply(status: 302, headers: [("Location", location)])
                hop = try #require(try hop.following(reply))
            }
            return hop.headers.map(\.name)
        }
        #expect(try names(after: "/y") == ["X-Tenant", "X-Page"])
        #expect(try names(after: "https://b.example/") == ["X-Page"])
        #expect(try names(after: "/y", "https://b.example/") == ["X-Page"])
        #expect(try names(after: "https://b.example/", "https://a.example/x") == ["X-Page"])
    }

    @Test(arguments: [
        ("https://a.example/x", "https://a.example:443/y", true),
        ("https://a.example/x", "http://a.example/y", false),
        ("https://a.example/x", "https://b.example/y", false),
        ("https://a.example/x", "https://a.example:8443/", false),
        ("https://a.example/x", "//A.EXAMPLE/y", true),
    ])
    func `credentials travel only to the same scheme, host and port`(from: String, to: String, kept: Bool)
        throws
    {
        let hop = try Hop(HTTPRequest(method: "GET", url: from, headers: [("Authorization", "s")]))
        let next = try hop.following(HTTPReply(status: 302, headers: [("Location", to)]))
        #expect(try #require(next).headers.isEmpty != kept)
    }

    @Test func `a redirect to a private address is refused, and says where it came from`() async throws {
        let policy = EgressPolicy(allowedHosts: [try HostRule(parsing: "127.0.0.1")])
        let server = try await LocalServer { _ in
            .redirect(302, to: "http://169.254.169.254/latest/meta-data?x=SECRET")
        }
        try await withTransport(policy) { transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.code == "PG2004")
            #expect(
                failure.message
                    == "127.0.0.1:\(server.port) redirected this call. http://169.254.169.254/ is a "
                    + "private address, and this host does not call those.")
        }
        try await server.stop()
    }

    @Test(arguments: ["ftp://a.example/", "http://user:pass@a.example/", "http://"])
    func `a redirect to what can't be called is refused`(location: String) async throws {
        try await withServer { _ in
            .redirect(302, to: location)
        } run: { server, transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.kind == .rejected)
            #expect(failure.code == "PG2006")
            #expect(failure.message.hasPrefix("The URL that 127.0.0.1:\(server.port) redirects to"))
        }
    }

    @Test func `a redirect without a Location is the reply`() async throws {
        try await withServer { _ in
            .reply("302 Found")
        } run: { server, transport in
            let reply = try await transport.get(server.url)
            #expect(reply.status == 302)
        }
    }
}
