import Perigee
@testable import PerigeeHTTP
import Synchronization
import Testing

@Suite struct HostRuleTests {
    @Test(
        arguments: [
            ("crm.internal", "crm.internal", nil), ("CRM.Internal.:8080", "crm.internal", 8080),
            ("my_host-1:65535", "my_host-1", 65_535), ("https://a.example:443", "a.example", 443),
        ] as [(String, String, Int?)])
    func `a rule is a host with or without a port`(text: String, name: String, port: Int?) throws {
        let rule = try HostRule(parsing: text)
        #expect(rule.host == .name(name))
        #expect(rule.port == port)
    }

    @Test(arguments: [
        "", ":80", "host:", "host:0", "host:65536", "host:x", "host:+1", "ftp://host", "host/path",
        "http://host/", "::1", "[::1", "[::1]80", "[host]:80", "a b", "user@host", "*a.example", "a.*", "**",
        "*.",
        "*.0.0.1", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "[10.0.0.0]/8", "fd00::/129",
        "10.0.0.0/8:", "/8",
    ])
    func `anything else is refused with an example of what to write`(text: String) {
        let error = #expect(throws: HostRuleError.self) { try HostRule(parsing: text) }
        #expect(error?.code == "PG2008")
        #expect(error?.hint.contains("127.0.0.1:8080") == true)
    }

    @Test(
        arguments: [
            ("a.example", "https://a.example/", true), ("a.example", "https://A.EXAMPLE.:8443/", true),
            ("a.example", "https://b.a.example/", false), ("a.example:443", "https://a.example/", true),
            ("a.example:443", "http://a.example/", false), ("http://a.example", "https://a.example/", false),
            ("HTTPS://a.example", "https://a.example/", true), ("*.example", "http://a.b.example/", true),
            ("*.example", "http://example/", false), ("*.example", "http://badexample/", false),
            ("*", "http://anything/", true), ("http://*:8080", "http://anything:8080/", true),
            ("http://*", "https://anything/", false), ("*", "http://10.0.0.1/", true),
            ("10.0.0.0/8", "http://10.255.0.1/", true), ("10.0.0.0/8", "http://11.0.0.0/", false),
            ("10.1.2.3/8", "http://10.9.9.9/", true), ("10.0.0.0/8:80", "http://10.0.0.1/", true),
            ("10.0.0.0/8:80", "https://10.0.0.1/", false), ("0.0.0.0/0", "http://192.0.2.1/", true),
            ("0.0.0.0/0", "http://[2001:db8::1]/", false), ("::/0", "http://[2001:db8::1]/", true),
            ("fd00::/8", "http://[fdff::1]/", true), ("[fd00::]/8:80", "http://[fc00::1]/", false),
            ("[::1]:80", "http://[0:0::1]/", true), ("127.0.0.1", "http://[::ffff:127.0.0.1]/", true),
        ])
    func `a rule means hosts by scheme, name, address and port`(text: String, url: String, means: Bool) throws
    {
        #expect(try HostRule(parsing: text).names(Destination(url)) == means)
    }
}

@Suite struct EgressRuleTests {
    /// Why a URL whose host leads to an address may not be called.
    private func refusal(_ policy: EgressPolicy, _ url: String, _ address: String) throws
        -> EgressPolicy.Refusal?
    {
        let destination = try Destination(url)
        let address = try #require(IPAddress(address))
        do throws(EgressPolicy.Refusal) {
            let standing = try policy.standing(of: destination)
            return policy.refusal(of: address, port: destination.port, standing)
        } catch { return error }
    }

    private func rules(_ texts: String...) throws -> [HostRule] { try texts.map(HostRule.init(parsing:)) }

    @Test(arguments: [
        ("http://a.example/", "1.1.1.1"), ("https://b.example/", "10.0.0.9"),
        ("https://b.example/", "64:ff9b::10.0.0.9"), ("http://10.0.0.9/", "10.0.0.9"),
        ("https://c.example:25/", "1.1.1.1"),
    ])
    func `what is denied stays denied, whatever else allows it`(url: String, address: String) throws {
        let policy = EgressPolicy(
            allowedHosts: try rules("*"), deniedHosts: try rules("http://a.example", "10.0.0.0/8", "*:25"),
            onlyHosts: try rules("*"), allowsLoopback: true)
        guard case .denied = try refusal(policy, url, address) else {
            Issue.record("\(url) at \(address) is not denied")
            return
        }
        #expect(try refusal(policy, "https://a.example/", "192.168.0.1") == nil)
    }

    @Test func `where only some hosts may be called, no other is`() throws {
        let policy = EgressPolicy(
            allowedHosts: try rules("db.internal"),
            onlyHosts: try rules("*.acme.example", "https://9.9.9.0/24", "db.internal:5000"))
        #expect(try refusal(policy, "http://api.acme.example/", "1.1.1.1") == nil)
        #expect(try refusal(policy, "https://other.example/", "9.9.9.9") == nil)
        #expect(try refusal(policy, "http://other.example/", "9.9.9.9") == .unlisted)
        #expect(try refusal(policy, "https://other.example/", "9.9.8.9") == .unlisted)
        #expect(try refusal(policy, "http://acme.example/", "1.1.1.1") == .unlisted)
        #expect(try refusal(policy, "http://api.acme.example/", "10.0.0.1") == .isPrivate)
        #expect(try refusal(policy, "http://db.internal:5000/", "10.0.0.1") == nil)
        #expect(try refusal(policy, "http://db.internal:5001/", "10.0.0.1") == .unlisted)
    }

    @Test func `an allowed range opens names that lead into it, and nothing beside it`() throws {
        let policy = EgressPolicy(allowedHosts: try rules("10.1.0.0/16:8080", "*.internal"))
        #expect(try refusal(policy, "http://crm.example:8080/", "10.1.2.3") == nil)
        #expect(try refusal(policy, "http://crm.example:8081/", "10.1.2.3") == .isPrivate)
        #expect(try refusal(policy, "http://crm.example:8080/", "10.2.2.3") == .isPrivate)
        #expect(try refusal(policy, "http://crm.internal/", "192.168.7.7") == nil)
    }

    @Test func `a host that no rule can permit is not looked up`() async throws {
        let policy = EgressPolicy(
            deniedHosts: try rules("*.denied.example"),
            onlyHosts: try rules("*.denied.example", "listed.example"))
        try await withTransport(policy, lookUp: { host in throw UnexpectedLookup(host: host) }) { transport in
            for host in ["x.denied.example", "other.example"] {
                let failure = try await transport.failure(
                    of: HTTPRequest(method: "GET", url: "https://\(host)/?k=S"))
                #expect(failure.kind == .rejected)
                #expect(failure.code == "PG2180")
            }
        }
    }

    @Test func `a refusal names the rule and what to do`() async throws {
        let policy = EgressPolicy(
            deniedHosts: try rules("1.1.1.0/24", "http://*"), onlyHosts: try rules("a.example", "9.0.0.0/8"))
        try await withTransport(policy, lookUp: { _ in [IPAddress(v4: 0x0101_0101)] }) { transport in
            let name = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "http://a.example/?k=S"))
            #expect(name.message == "http://a.example/ may not be called: this host denies http://*.")
            #expect(
                name.hint
                    == "Start it without --deny-host http://*, or with a narrower one, if this call is meant."
            )
            let address = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "https://a.example/?k=S"))
            #expect(
                address.message
                    == "https://a.example/ leads to 1.1.1.1, which may not be called: this host denies 1.1.1.0/24."
            )
            let other = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "https://8.8.8.8/?k=S"))
            #expect(
                other.message
                    == "https://8.8.8.8/ may not be called: it is not among the only hosts that may.")
            #expect(other.hint == "Start this host with --only-host 8.8.8.8:443 too if this call is meant.")
        }
    }

    @Test func `a redirect to what is denied is refused`() async throws {
        let other = try await LocalServer { _ in .reply("200 OK") }
        let location = "\(other.url)/secret?k=S"
        let server = try await LocalServer { _ in .redirect(302, to: location) }
        let policy = EgressPolicy(
            deniedHosts: try rules("127.0.0.1:\(other.port)"), allowsLoopback: true)
        try await withTransport(policy) { transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.code == "PG2180")
            #expect(
                failure.message
                    == "127.0.0.1:\(server.port) redirected this call. \(other.url)/ may not be called: this host "
                    + "denies 127.0.0.1:\(other.port).")
        }
        #expect(other.requests.isEmpty)
        try await server.stop()
        try await other.stop()
    }

    @Test func `a name is decided about for each call, also where a connection is open`() async throws {
        let server = try await LocalServer { _ in .reply("200 OK") }
        let answers = Mutex([IPAddress(v4: 0x7F00_0001), IPAddress(v4: 0x0A00_0001)])
        let lookUp: HostLookup = { _ in answers.withLock { [$0.removeFirst()] } }
        try await withTransport(EgressPolicy(allowsLoopback: true), lookUp: lookUp) { transport in
            let request = HTTPRequest(method: "GET", url: "http://localhost:\(server.port)/")
            let reply = try await transport.send(request)
            #expect(reply.status == 200)
            let failure = try await transport.failure(of: request)
            #expect(failure.code == "PG2004")
            #expect(failure.message.contains("leads to 10.0.0.1"))
        }
        #expect(server.requests.count == 1)
        try await server.stop()
    }

    @Test
    func `a name that leads to a denied address on the second lookup is refused before a request is sent`()
        async throws
    {
        let server = try await LocalServer { _ in .reply("200 OK") }
        let policy = EgressPolicy(
            allowedHosts: try rules("localhost"), deniedHosts: try rules("127.0.0.0/8", "[::1]"))
        // The check is told another address; the client then asks the system, which answers with this machine's.
        try await withTransport(policy, lookUp: { _ in [IPAddress(v4: 0x0101_0101)] }) { transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "http://localhost:\(server.port)/"))
            #expect(failure.code == "PG2180")
            try await server.awaitClosedConnection()
        }
        #expect(server.requests.isEmpty)
        try await server.stop()
    }
}

private struct UnexpectedLookup: Error { let host: String }
