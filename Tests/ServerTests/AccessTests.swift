import Foundation
import HTTPTypes
import Testing

@testable import PerigeeServer

struct AccessTests {
    private func caller(
        _ method: HTTPRequest.Method = .get, _ path: String = "/v1/runs", host: String? = "localhost:7420",
        origin: String? = nil, fetchSite: String? = nil, authorization: String? = nil
    ) -> Caller {
        Caller(
            method: method, path: path, host: host, origin: origin, fetchSite: fetchSite,
            authorization: authorization)
    }

    @Test(arguments: ["127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]", "LOCALHOST"])
    func `a loopback address is open without tokens`(address: String) throws {
        guard case .open = try Access.check(address: address, tokens: ["", ""]) else {
            Issue.record("\(address) asked for tokens")
            return
        }
    }

    @Test(arguments: [
        "0.0.0.0", "::", "10.0.0.5", "127.0.0.1.evil.example", "127.0.0", "perigee.example", "",
    ])
    func `any other address is refused without tokens`(address: String) {
        #expect(throws: ServerError.tokensMissing(address: address)) {
            _ = try Access.check(address: address, tokens: [""])
        }
    }

    @Test func `tokens are used wherever they are set`() throws {
        guard case .tokens(["a"]) = try Access.check(address: "127.0.0.1", tokens: ["", "a"]) else {
            Issue.record("the token was not taken")
            return
        }
    }

    @Test(arguments: ["localhost", "localhost:7420", "127.0.0.1:7420", "[::1]:7420", "LocalHost:1"])
    func `open access answers to the machine's own names`(host: String) {
        #expect(Access.open.refusal(of: caller(host: host)) == nil)
    }

    @Test(arguments: [
        "evil.example", "localhost.evil.example:7420", "127.0.0.1.evil.example", "[::2]:7420", "",
    ])
    func `open access refuses a name that was pointed at this machine`(host: String) {
        #expect(Access.open.refusal(of: caller(host: host))?.code == "PG4047")
    }

    @Test(arguments: ["cross-site", "same-site"])
    func `a change that another site's page asks for is refused`(site: String) {
        #expect(Access.open.refusal(of: caller(.post, fetchSite: site))?.code == "PG4047")
        #expect(Access.open.refusal(of: caller(.get, fetchSite: site)) == nil)
        let access = Access.tokens(["secret"])
        let signedIn = caller(.post, fetchSite: site, authorization: "Bearer secret")
        #expect(access.refusal(of: signedIn)?.code == "PG4047")
    }

    @Test(arguments: [
        "http://evil.example", "null", "http://localhost:3000", "https://localhost:7420.evil.example",
    ])
    func `a change with a foreign origin is refused`(origin: String) {
        #expect(Access.open.refusal(of: caller(.post, origin: origin))?.code == "PG4047")
    }

    @Test func `a change from the dashboard itself, or from a program, is let in`() {
        #expect(Access.open.refusal(of: caller(.post, origin: "http://localhost:7420")) == nil)
        #expect(Access.open.refusal(of: caller(.post, fetchSite: "same-origin")) == nil)
        #expect(Access.open.refusal(of: caller(.post, fetchSite: "none")) == nil)
        #expect(Access.open.refusal(of: caller(.post)) == nil)
    }

    @Test func `in open access a hook can't be called by another site, whatever its method`() {
        #expect(
            Access.open.refusal(of: caller(.get, "/hooks/orders", fetchSite: "cross-site"))?.code == "PG4047")
    }

    @Test(arguments: [
        "Bearer one", "bearer two", "Bearer  two", "Basic \(Data("ana:two".utf8).base64EncodedString())",
    ])
    func `a known token lets in`(authorization: String) {
        let access = Access.tokens(["one", "two"])
        #expect(access.refusal(of: caller(host: "perigee.example", authorization: authorization)) == nil)
    }

    @Test(arguments: [
        nil, "", "Bearer", "Bearer ", "Bearer on", "Bearer one1", "one", "Basic one", "Digest one",
        "Basic \(Data("one".utf8).base64EncodedString())", "Basic \(Data("one:".utf8).base64EncodedString())",
    ])
    func `anything else needs a sign-in, and browsers are asked for it`(authorization: String?) {
        let refusal = Access.tokens(["one", "two"]).refusal(of: caller(authorization: authorization))
        #expect(refusal?.code == "PG4046")
        #expect(refusal?.status == .unauthorized)
        #expect(refusal?.headers[.wwwAuthenticate]?.hasPrefix("Basic realm=\"Perigee\"") == true)
    }

    @Test(arguments: ["/livez", "/readyz", "/hooks/orders"])
    func `probes and hooks need no token`(path: String) {
        #expect(Access.tokens(["one"]).refusal(of: caller(.get, path, host: "10.0.0.5")) == nil)
    }

    @Test(arguments: ["/", "/hooks", "/livez/x", "/v1/stream", "/assets/perigee.js", "/hooksx/a"])
    func `everything else needs one`(path: String) {
        #expect(Access.tokens(["one"]).refusal(of: caller(.get, path))?.code == "PG4046")
    }
}
