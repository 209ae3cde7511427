import Crypto
import Foundation
import NIOSSL
@testable import PerigeeHTTP
import SwiftASN1
import X509

/// A certificate with its key; an authority signs others.
struct TestCertificate {
    let certificate: Certificate
    let key: P256.Signing.PrivateKey

    /// Valid for all dates that tests will see.
    static let validYears = 2000...2200

    /// - Parameters:
    ///   - name: its common name.
    ///   - hosts: names and addresses that it is for.
    ///   - years: it is valid from the start of the first one to the start of the last one.
    ///   - authority: who signs it; itself when absent.
    init(
        _ name: String, hosts: [String] = [], years: ClosedRange<Int> = validYears,
        signedBy authority: TestCertificate? = nil, isAuthority: Bool = false
    ) throws {
        key = P256.Signing.PrivateKey()
        let subject = try DistinguishedName { CommonName(name) }
        let names = hosts.map { host -> GeneralName in
            guard let address = IPAddress(host) else { return .dnsName(host) }
            let bytes = (0..<4).reversed().map { UInt8(truncatingIfNeeded: address.bits >> (8 * $0)) }
            return .ipAddress(ASN1OctetString(contentBytes: bytes[...]))
        }
        certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(key.publicKey),
            notValidBefore: TestCertificate.start(of: years.lowerBound),
            notValidAfter: TestCertificate.start(of: years.upperBound),
            issuer: authority?.certificate.subject ?? subject, subject: subject,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                if isAuthority {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                } else {
                    Critical(BasicConstraints.notCertificateAuthority)
                }
                if !names.isEmpty { SubjectAlternativeNames(names) }
            },
            issuerPrivateKey: .init((authority?.key ?? key)))
    }

    static func authority(_ name: String = "Acme Test Root") throws -> TestCertificate {
        try TestCertificate(name, isAuthority: true)
    }

    /// A certificate of 127.0.0.1 and localhost.
    static func local(signedBy authority: TestCertificate?) throws -> TestCertificate {
        try TestCertificate("local", hosts: ["127.0.0.1", "localhost"], signedBy: authority)
    }

    func pem() throws -> String { try certificate.serializeAsPEM().pemString + "\n" }

    func keyPEM() -> String { key.pemRepresentation + "\n" }

    /// What a server shows.
    func server() throws -> TLSConfiguration {
        .makeServerConfiguration(
            certificateChain: [.certificate(try library())],
            privateKey: .privateKey(
                try NIOSSLPrivateKey(bytes: Array(keyPEM().utf8), format: .pem)))
    }

    func library() throws -> NIOSSLCertificate {
        try NIOSSLCertificate(bytes: Array(pem().utf8), format: .pem)
    }

    private static func start(of year: Int) -> Date {
        DateComponents(calendar: Calendar(identifier: .gregorian), timeZone: .gmt, year: year).date
            ?? .distantPast
    }
}

/// A folder for files of a test, gone with it.
struct TestFolder: ~Copyable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("perigee-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    /// Writes a file and gives its path.
    func file(_ name: String, _ text: String) throws -> String {
        let file = url.appendingPathComponent(name)
        try Data(text.utf8).write(to: file)
        return file.path
    }

    deinit { try? FileManager.default.removeItem(at: url) }
}
