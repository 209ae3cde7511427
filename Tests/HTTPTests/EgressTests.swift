import Perigee
@testable import PerigeeHTTP
import Testing

@Suite struct EgressTests {
    private func permits(_ policy: EgressPolicy, _ address: String) throws -> Bool {
        let standing = try policy.standing(of: Destination("http://name.example/"))
        return policy.refusal(of: try #require(IPAddress(address)), port: 80, standing) == nil
    }

    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
        "127.255.0.9", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8",
        "192.168.1.1",
        "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1",
        "2001::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:c0a8:101::",
    ])
    func `a private, local or special address is not called`(address: String) throws {
        #expect(try !permits(EgressPolicy(), address))
    }

    @Test(arguments: [
        "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450::1",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1", "2002:101:101::1", "fbff::1", "2001:4860::8888",
    ])
    func `a public address is called`(address: String) throws {
        #expect(try permits(EgressPolicy(), address))
    }

    @Test(arguments: ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    func `an open loopback opens this machine`(address: String) throws {
        #expect(try permits(EgressPolicy(allowsLoopback: true), address))
    }

    @Test(arguments: ["10.0.0.1", "169.254.169.254", "0.0.0.0", "::", "fd00:ec2::254"])
    func `an open loopback opens nothing else`(address: String) throws {
        #expect(try !permits(EgressPolicy(allowsLoopback: true), address))
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("0:0:0:0:0:0:0:1", "::1"),
        ("FD00:EC2::254", "fd00:ec2::254"),
    ])
    func `an address has one spelling`(text: String, spelling: String) {
        #expect(IPAddress(text)?.description == spelling)
    }

    @Test(arguments: [
        "http://127.0.0.1:9/", "http://127.1:9/", "http://2130706433:9/", "http://0x7f000001:9/",
        "http://0177.0.0.1:9/",
        "http://0:9/", "http://localhost:9/", "http://LOCALHOST.:9/", "http://[::1]:9/",
        "http://[::ffff:7f00:1]:9/",
        "http://[0:0:0:0:0:ffff:169.254.169.254]:9/", "https://10.1.2.3:9/",
    ])
    func `every spelling of a private address is refused before a connection`(url: String) async throws {
        try await withTransport { transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: url))
            #expect(failure.kind == .rejected)
            #expect(failure.code == "PG2004")
        }
    }

    @Test func `a refusal says what is refused and how to open it`() async throws {
        try await withTransport(lookUp: { _ in [IPAddress(v4: 0x0A00_0005)] }) { transport in
            let literal = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "http://127.0.0.1:9/a?k=S"))
            #expect(
                literal.message
                    == "http://127.0.0.1:9/ is a private address, and this host does not call those.")
            #expect(literal.hint == "Start it with --allow-host 127.0.0.1:9 if this call is meant.")
            let name = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "https://crm.internal/a?k=S"))
            #expect(
                name.message
                    == "https://crm.internal/ leads to 10.0.0.5, a private address, and this host does not "
                    + "call those.")
            #expect(name.hint == "Start it with --allow-host crm.internal:443 if this call is meant.")
        }
    }

    @Test func `a name with one private address among public ones is refused`() async throws {
        try await withTransport(lookUp: { _ in [IPAddress(v4: 0x0101_0101), IPAddress(v4: 0xC0A8_0001)] }) {
            transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "http://two.example/"))
            #expect(failure.code == "PG2004")
            #expect(failure.message.contains("192.168.0.1"))
        }
    }

    @Test func `a name that leads elsewhere on the second lookup is refused before a request is sent`()
        async throws
    {
        let server = try await LocalServer { _ in .reply("200 OK") }
        // The check is told a public address; the client then asks the system, which answers 127.0.0.1.
        try await withTransport(lookUp: { _ in [IPAddress(v4: 0x0101_0101)] }) { transport in
            for _ in 1...2 {
                let failure = try await transport.failure(
                    of: HTTPRequest(method: "GET", url: "http://localhost:\(server.port)/"))
                #expect(failure.kind == .rejected)
                #expect(failure.code == "PG2004")
                #expect(failure.message.hasPrefix("http://localhost:\(server.port)/ leads to 127.0.0.1"))
                try await server.awaitClosedConnection()
            }
        }
        #expect(server.requests.isEmpty)
        try await server.stop()
    }

    @Test func `an allowed host is open at its port only`() async throws {
        let server = try await LocalServer { _ in .reply("200 OK", body: "in") }
        let policy = EgressPolicy(allowedHosts: [try HostRule(parsing: "LocalHost:\(server.port)")])
        try await withTransport(policy) { transport in
            #expect(try await transport.get("http://localhost:\(server.port)/").text == "in")
            for url in ["http://localhost:9/", "http://127.0.0.1:\(server.port)/"] {
                let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: url))
                #expect(failure.code == "PG2004")
            }
        }
        try await server.stop()
    }
}

@Suite struct UnusableRequestTests {
    @Test(arguments: [
        "", "crm.example/customers", "/customers", "https://", "https:///customers", "ftp://crm.example/",
        "file:///etc/passwd", "http+unix://%2Frun%2Fx.sock/", "http://crm.example:0/",
        "http://crm.example:65536/",
        "http://crm.example:99999999999999999999/", "http://a..b/", "http://%31%32%37.0.0.1/",
        "http://[fe80::1%25eth0]/",
        "http://a b.example/", "http://crm.example\r\nX: y/", "https://user:hunter2@crm.example/",
        "https://hunter2@crm.example/",
    ])
    func `a URL that can't be called is refused without being quoted`(url: String) async throws {
        try await withTransport(lookUp: { _ in [IPAddress(v4: 0x7F00_0001)] }) { transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: url))
            #expect(failure.kind == .rejected)
            #expect(failure.code == "PG2006")
            #expect(!failure.message.contains("hunter2"))
        }
    }

    @Test(arguments: [
        ("X-A\r\nX-B", "v"), ("", "v"), ("X A", "v"), ("X:A", "v"), ("X-A", "hunter2\r\nX-B: w"),
        ("X-A", "hunter2\n"),
        ("X-A", "hunter2\u{0}"),
    ])
    func `a header that would break the request is refused without its value`(name: String, value: String)
        async throws
    {
        try await withServer { _ in
            .reply("200 OK")
        } run: { server, transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: server.url, headers: [(name, value)]))
            #expect(failure.kind == .rejected)
            #expect(failure.code == "PG2006")
            #expect(!failure.message.contains("hunter2") && !failure.message.contains("\n"))
            #expect(server.requests.isEmpty)
        }
    }

    @Test(arguments: ["", "get", "CONNECT", "GET / HTTP/1.1\r\nX: y"])
    func `a method that no verb has is refused`(method: String) async throws {
        try await withTransport { transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: method, url: "https://crm.example/"))
            #expect(failure.code == "PG2006")
        }
    }
}
