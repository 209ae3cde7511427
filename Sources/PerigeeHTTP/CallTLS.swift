import Foundation
import NIOSSL
public import PerigeeJournal

/// Whom calls over https trust, and as whom they appear.
///
/// Receivers are always verified, by TLS 1.2 or later; nothing turns that off.
public struct CallTLS: Sendable {
    /// For hosts that no client certificate is bound to.
    let general: TLSConfiguration
    private let bound: [(host: HostRule, configuration: TLSConfiguration)]

    /// The system's roots, and no client certificate.
    public init() {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        general = configuration
        bound = []
    }

    /// - Parameters:
    ///   - authorities: paths of PEM files with certificates that are trusted beside the system's roots.
    ///   - clientCertificates: which certificates are shown; of those for the same host, the first.
    /// - Throws: ``TLSFileError`` for a file that can't be used.
    public init(authorities: [String], clientCertificates: [ClientCertificate] = []) throws(TLSFileError) {
        var configuration = CallTLS().general
        var roots: [NIOSSLCertificate] = []
        for path in authorities { roots += try certificates(in: path) }
        if !roots.isEmpty { configuration.additionalTrustRoots = [.certificates(roots)] }
        var bound: [(host: HostRule, configuration: TLSConfiguration)] = []
        for client in clientCertificates {
            bound.append((client.host, try client.added(to: configuration)))
        }
        general = configuration
        self.bound = bound
    }

    /// What is meant for a host alone.
    func special(for destination: Destination) -> TLSConfiguration? {
        bound.first { $0.host.names(destination) }?.configuration
    }
}

/// A certificate that proves to some hosts who is calling.
public struct ClientCertificate: Sendable {
    let host: HostRule
    let certificate: String
    let key: String

    /// - Parameters:
    ///   - host: to whom it is shown.
    ///   - certificate: the path of a PEM file with the certificate, and those that it is signed by behind it.
    ///   - key: the path of a PEM file with its private key, not encrypted; the same file when absent.
    /// - Throws: ``TLSFileError`` when the host is every host.
    public init(host: HostRule, certificate: String, key: String? = nil) throws(TLSFileError) {
        guard host.host != .any else {
            throw TLSFileError(
                path: certificate, problem: "is a client certificate for every host",
                hint: "Name the host that it is meant for, so that nobody else learns who is calling.")
        }
        self.host = host
        self.certificate = certificate
        self.key = key ?? certificate
    }

    fileprivate func added(to configuration: TLSConfiguration) throws(TLSFileError) -> TLSConfiguration {
        var configuration = configuration
        configuration.certificateChain = try certificates(in: certificate).map { .certificate($0) }
        let bytes = try contents(of: key)
        do {
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: bytes, format: .pem))
        } catch {
            throw TLSFileError(
                path: key, problem: "holds no private key that can be read",
                hint: "Give it a key in PEM form without a passphrase.")
        }
        do { _ = try NIOSSLContext(configuration: configuration) } catch {
            throw TLSFileError(
                path: key, problem: "is not the private key of the certificate in \(certificate)",
                hint: "Give both of the same pair; the certificate itself stands first in its file.")
        }
        return configuration
    }
}

/// A file with a certificate or a key that can't be used.
public struct TLSFileError: ExplainedError {
    let path: String
    let problem: String
    public let hint: String

    public var code: String { "PG2183" }
    public var message: String { "\(path) \(problem)." }
}

private func certificates(in path: String) throws(TLSFileError) -> [NIOSSLCertificate] {
    let bytes = try contents(of: path)
    let found = try? NIOSSLCertificate.fromPEMBytes(bytes)
    guard let found, !found.isEmpty else {
        throw TLSFileError(
            path: path, problem: "holds no certificate that can be read",
            hint: "Give it certificates in PEM form: -----BEGIN CERTIFICATE----- and what follows.")
    }
    return found
}

private func contents(of path: String) throws(TLSFileError) -> [UInt8] {
    do { return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) } catch {
        throw TLSFileError(
            path: path, problem: "can't be read",
            hint: "Check that it is there and that this user may read it.")
    }
}
