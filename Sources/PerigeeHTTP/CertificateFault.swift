import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import SwiftASN1
import X509

/// What is wrong with the certificate of a receiver.
struct CertificateFault: Hashable {
    /// Continues "Could not set up a secure connection to NAME: ".
    let reason: String
    let hint: String

    /// - Parameters:
    ///   - chain: what the receiver showed, its own certificate first.
    ///   - isForAnother: whether the chain is fine and only the name is another one.
    init?(_ chain: [Certificate], isForAnother: Bool, now: Date) {
        guard let own = chain.first else { return nil }
        if isForAnother {
            let names = own.names
            let list = names.isEmpty ? "no host at all" : names.prefix(5).joined(separator: ", ")
            reason = "its certificate is for \(list)\(names.count > 5 ? " …" : "")."
            hint = "Call it by a name that its certificate has."
        } else if let old = chain.first(where: { $0.notValidAfter < now }) {
            reason =
                "\(old == own ? "its certificate" : "the certificate of \(old.subject.shown)") "
                + "expired on \(day(old.notValidAfter))."
            hint = "Who runs the receiver must renew it. If it has not expired, check this machine's clock."
        } else if let early = chain.first(where: { $0.notValidBefore > now }) {
            reason =
                "\(early == own ? "its certificate" : "the certificate of \(early.subject.shown)") "
                + "is valid only from \(day(early.notValidBefore))."
            hint = "Check this machine's clock."
        } else if own.issuer == own.subject {
            reason = "its certificate is self-signed."
            hint =
                "If it is meant to be trusted, start this host with --ca-file FILE, where FILE is that certificate."
        } else {
            let last = chain.last ?? own
            let signer = last.issuer == last.subject ? last.subject : last.issuer
            reason = "its certificate is signed by \(signer.shown), which this host does not trust."
            hint =
                "If it is meant to be trusted, start this host with --ca-file FILE, where FILE is the "
                + "signer's certificate."
        }
    }
}

/// Asks a receiver for its certificates once more, without sending it anything else.
///
/// What refused them does not say why, and keeps none of them.
/// - Returns: nothing when they can't be had.
func presentedCertificates(
    of destination: Destination, at address: IPAddress, deadline: NIODeadline
) async -> [Certificate] {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let found = loop.makePromise(of: [NIOSSLCertificate].self)
    let timeout = loop.scheduleTask(deadline: deadline) { found.fail(ChannelError.connectTimeout(.zero)) }
    defer { timeout.cancel() }
    let connecting = ClientBootstrap(group: loop).channelInitializer { channel in
        channel.closeFuture.whenComplete { _ in found.fail(ChannelError.eof) }
        return channel.eventLoop.makeCompletedFuture {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = .certificates([])
            let handler = try NIOSSLClientHandler(
                context: try NIOSSLContext(configuration: configuration),
                serverHostname: IPAddress(destination.host) == nil ? destination.host : nil,
                customVerificationCallback: { certificates, verdict in
                    found.succeed(certificates)
                    verdict.succeed(.failed)
                })
            try channel.pipeline.syncOperations.addHandler(handler)
        }
    }.connect(host: address.description, port: destination.port)
    connecting.whenFailure { found.fail($0) }
    found.futureResult.whenComplete { _ in connecting.whenSuccess { $0.close(promise: nil) } }
    let certificates = try? await withTaskCancellationHandler {
        try await found.futureResult.get()
    } onCancel: {
        found.fail(CancellationError())
    }
    return (certificates ?? []).compactMap { certificate in
        (try? certificate.toDERBytes()).flatMap { try? Certificate(derEncoded: $0) }
    }
}

extension Certificate {
    /// The hosts that it is for.
    fileprivate var names: [String] {
        let alternatives = (try? extensions.subjectAlternativeNames) ?? nil
        return (alternatives.map(Array.init) ?? []).compactMap { name in
            switch name {
            case .dnsName(let name): printable(name)
            case .ipAddress(let bytes): IPAddress(octets: bytes.bytes)?.description
            default: nil
            }
        }
    }
}

extension DistinguishedName {
    /// The common name, or all of it.
    fileprivate var shown: String {
        let all = printable(String(describing: self))
        return all.isEmpty ? "somebody without a name" : all
    }
}

/// A text out of a certificate, which anybody may have made.
private func printable(_ text: String) -> String {
    String(text.unicodeScalars.filter { $0.properties.generalCategory != .control }.prefix(200))
}

private func day(_ date: Date) -> String {
    date.formatted(.iso8601.year().month().day())
}
