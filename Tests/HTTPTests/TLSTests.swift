import Foundation
import NIOSSL
import Perigee
@testable import PerigeeHTTP
import Testing

@Suite(.timeLimit(.minutes(5))) struct TLSTests {
    /// The failure of a call to a server that shows a certificate.
    private func failure(
        showing certificate: TestCertificate, trusting authority: TestCertificate? = nil
    ) async throws -> (failure: HTTPFailure, name: String) {
        let folder = try TestFolder()
        let tls = try CallTLS(authorities: try authority.map { [try folder.file("ca.pem", $0.pem())] } ?? [])
        let server = try await LocalServer(tls: try certificate.server()) { _ in .reply("200 OK") }
        var failure: HTTPFailure?
        try await withTransport(EgressPolicy(allowsLoopback: true), tls: tls) { transport in
            failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
        }
        // The one connection that was refused, and the one that asked why.
        try await server.awaitClosedConnection()
        try await server.awaitClosedConnection()
        #expect(server.requests.isEmpty)
        try await server.stop()
        return (try #require(failure), "127.0.0.1:\(server.port)")
    }

    @Test func `a receiver whose certificate a private authority signed is called once that is trusted`()
        async throws
    {
        let folder = try TestFolder()
        let root = try TestCertificate.authority()
        let other = try TestCertificate.authority("Other")
        let tls = try CallTLS(authorities: [try folder.file("ca.pem", other.pem() + root.pem())])
        let server = try await LocalServer(tls: try TestCertificate.local(signedBy: root).server()) { _ in
            .reply("200 OK", body: "in")
        }
        try await withTransport(EgressPolicy(allowsLoopback: true), tls: tls) { transport in
            for host in ["127.0.0.1", "localhost"] {
                let reply = try await transport.get("https://\(host):\(server.port)/")
                #expect(reply.text == "in")
            }
        }
        try await server.stop()
    }

    @Test func `an unknown authority is named`() async throws {
        let root = try TestCertificate.authority("Acme\n Root")
        let (failure, name) = try await failure(
            showing: try .local(signedBy: root), trusting: try .authority())
        #expect(failure.kind == .network)
        #expect(failure.code == "PG2181")
        #expect(
            failure.message
                == "Could not set up a secure connection to \(name): its certificate is signed by CN=Acme Root, "
                + "which this host does not trust.")
        #expect(failure.hint.contains("--ca-file FILE"))
    }

    @Test func `a self-signed certificate is called so`() async throws {
        let (failure, _) = try await failure(showing: try .local(signedBy: nil))
        #expect(failure.code == "PG2181")
        #expect(failure.message.hasSuffix(": its certificate is self-signed."))
        #expect(failure.hint.contains("--ca-file FILE"))
    }

    @Test func `an expired certificate says since when`() async throws {
        let root = try TestCertificate.authority()
        let old = try TestCertificate("old", hosts: ["127.0.0.1"], years: 2000...2001, signedBy: root)
        let (failure, _) = try await failure(showing: old, trusting: root)
        #expect(failure.code == "PG2181")
        #expect(failure.message.hasSuffix(": its certificate expired on 2001-01-01."))
        #expect(failure.hint.contains("renew"))
    }

    @Test func `a certificate that is not valid yet says from when`() async throws {
        let root = try TestCertificate.authority()
        let early = try TestCertificate("early", hosts: ["127.0.0.1"], years: 2199...2200, signedBy: root)
        let (failure, _) = try await failure(showing: early, trusting: root)
        #expect(failure.message.hasSuffix(": its certificate is valid only from 2199-01-01."))
    }

    @Test func `a certificate for another host says for which`() async throws {
        let root = try TestCertificate.authority()
        let hosts = ["crm.example", "*.crm.example", "192.0.2.7"]
        let (failure, _) = try await failure(
            showing: try TestCertificate("other", hosts: hosts, signedBy: root), trusting: root)
        #expect(failure.kind == .network)
        #expect(failure.code == "PG2181")
        #expect(failure.message.hasSuffix(": its certificate is for crm.example, *.crm.example, 192.0.2.7."))
    }

    @Test func `a receiver without TLS 1.2 is not called`() async throws {
        let root = try TestCertificate.authority()
        var old = try TestCertificate.local(signedBy: root).server()
        old.minimumTLSVersion = .tlsv1
        old.maximumTLSVersion = .tlsv11
        let server = try await LocalServer(tls: old) { _ in .reply("200 OK") }
        try await withTransport(EgressPolicy(allowsLoopback: true)) { transport in
            let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
            #expect(failure.code == "PG2002")
            #expect(failure.message.hasSuffix("it does not speak TLS as this host does."))
        }
        try await server.stop()
    }

    @Test func `a name that leads to a private address on the second lookup is refused over TLS too`()
        async throws
    {
        let folder = try TestFolder()
        let root = try TestCertificate.authority()
        let tls = try CallTLS(authorities: [try folder.file("ca.pem", root.pem())])
        let server = try await LocalServer(tls: try TestCertificate.local(signedBy: root).server()) { _ in
            .reply("200 OK")
        }
        try await withTransport(tls: tls, lookUp: { _ in [IPAddress(v4: 0x0101_0101)] }) { transport in
            let failure = try await transport.failure(
                of: HTTPRequest(method: "GET", url: "https://localhost:\(server.port)/"))
            #expect(failure.code == "PG2004")
            try await server.awaitClosedConnection()
        }
        #expect(server.requests.isEmpty)
        try await server.stop()
    }
}

@Suite(.timeLimit(.minutes(5))) struct ClientCertificateTests {
    /// A server that lets in only whom its authority has signed.
    private func withGate(
        _ maximum: TLSVersion? = nil,
        _ run: (LocalServer, TestCertificate, borrowing TestFolder) async throws -> Void
    ) async throws {
        let folder = try TestFolder()
        let root = try TestCertificate.authority()
        var gate = try TestCertificate.local(signedBy: root).server()
        gate.certificateVerification = .noHostnameVerification
        gate.trustRoots = .certificates([try root.library()])
        gate.maximumTLSVersion = maximum
        let server = try await LocalServer(tls: gate) { _ in .reply("200 OK", body: "in") }
        _ = try folder.file("ca.pem", root.pem())
        try await run(server, root, folder)
        try await server.stop()
    }

    @Test func `a client certificate is shown to its host and to no other`() async throws {
        try await withGate { server, root, folder in
            let client = try TestCertificate("perigee", signedBy: root)
            let certificate = try folder.file("client.pem", client.pem())
            let key = try folder.file("client.key", client.keyPEM())
            let tls = try CallTLS(
                authorities: [folder.url.appendingPathComponent("ca.pem").path],
                clientCertificates: [
                    try ClientCertificate(
                        host: try HostRule(parsing: "localhost:\(server.port)"),
                        certificate: certificate, key: key)
                ])
            try await withTransport(EgressPolicy(allowsLoopback: true), tls: tls) { transport in
                for _ in 1...2 {
                    #expect(try await transport.get("https://localhost:\(server.port)/").text == "in")
                    let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
                    #expect(failure.kind == .network)
                    #expect(failure.code == "PG2182")
                    let name = "127.0.0.1:\(server.port)"
                    #expect(failure.message == "\(name) wants a client certificate, and was shown none.")
                    #expect(failure.hint == "Start this host with --client-certificate \(name)=FILE.")
                }
            }
        }
    }

    @Test func `a certificate of another authority is not let in, and the failure says what was refused`()
        async throws
    {
        try await withGate { server, _, folder in
            let client = try TestCertificate("stranger", signedBy: try .authority("Nobody"))
            let both = try folder.file("both.pem", client.pem() + client.keyPEM())
            let tls = try CallTLS(
                authorities: [folder.url.appendingPathComponent("ca.pem").path],
                clientCertificates: [
                    try ClientCertificate(host: try HostRule(parsing: "127.0.0.1"), certificate: both)
                ])
            try await withTransport(EgressPolicy(allowsLoopback: true), tls: tls) { transport in
                let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
                #expect(failure.kind == .network)
                #expect(failure.code == "PG2182")
                #expect(failure.message.hasSuffix("did not accept this host's client certificate."))
            }
            #expect(server.requests.isEmpty)
        }
    }

    @Test func `a server of TLS 1.2 that wants a client certificate is told apart from one that is broken`()
        async throws
    {
        try await withGate(.tlsv12) { server, _, folder in
            let tls = try CallTLS(authorities: [folder.url.appendingPathComponent("ca.pem").path])
            try await withTransport(EgressPolicy(allowsLoopback: true), tls: tls) { transport in
                let failure = try await transport.failure(of: HTTPRequest(method: "GET", url: server.url))
                #expect(failure.message.contains("wants a client certificate"))
            }
        }
    }

    @Test func `files that can't be used are refused with what is wrong with them`() throws {
        let folder = try TestFolder()
        let one = try TestCertificate("one")
        let two = try TestCertificate("two")
        let certificate = try folder.file("one.pem", one.pem())
        let other = try folder.file("two.key", two.keyPEM())
        let nothing = try folder.file(
            "nothing.pem", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
        let empty = try folder.file("empty.pem", "")
        let missing = folder.url.appendingPathComponent("missing.pem").path
        let host = try HostRule(parsing: "a.example")
        func message(_ authorities: [String], _ certificate: String? = nil, _ key: String? = nil) -> String {
            do {
                let clients = try certificate.map {
                    [try ClientCertificate(host: host, certificate: $0, key: key)]
                }
                _ = try CallTLS(authorities: authorities, clientCertificates: clients ?? [])
                return "no error"
            } catch let error as TLSFileError {
                return error.code + " " + error.message
            } catch {
                return "\(error)"
            }
        }
        #expect(message([missing]) == "PG2183 \(missing) can't be read.")
        for path in [nothing, empty, other] {
            #expect(message([path]) == "PG2183 \(path) holds no certificate that can be read.")
        }
        #expect(message([], certificate) == "PG2183 \(certificate) holds no private key that can be read.")
        #expect(message([], certificate, empty) == "PG2183 \(empty) holds no private key that can be read.")
        #expect(message([], certificate, missing) == "PG2183 \(missing) can't be read.")
        #expect(
            message([], certificate, other)
                == "PG2183 \(other) is not the private key of the certificate in \(certificate).")
        let everyHost = try HostRule(parsing: "*")
        let everybody = #expect(throws: TLSFileError.self) {
            try ClientCertificate(host: everyHost, certificate: certificate)
        }
        #expect(everybody?.hint.hasPrefix("Name the host") == true)
    }
}
