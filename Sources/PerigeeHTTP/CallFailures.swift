import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import Perigee

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A connection was about to be used whose other end the policy does not permit.
struct RefusedAddress: Error {
    let address: IPAddress
    let refusal: EgressPolicy.Refusal
}

extension HTTPFailure {
    static func unusable(_ message: String, _ hint: String) -> HTTPFailure {
        HTTPFailure(kind: .rejected, code: "PG2006", message: message, hint: hint)
    }

    /// - Parameter address: where the host leads to, if that is what is refused.
    static func refused(
        _ destination: Destination, _ refusal: EgressPolicy.Refusal, _ address: IPAddress? = nil
    ) -> HTTPFailure {
        let place = address.flatMap { $0.description == destination.host ? nil : "\($0)" }
        let origin = destination.origin
        let whither = place.map { "\(origin) leads to \($0), which may not be called" }
        switch refusal {
        case .isPrivate:
            let what = place.map { "leads to \($0), a private address" } ?? "is a private address"
            return HTTPFailure(
                kind: .rejected, code: "PG2004",
                message: "\(origin) \(what), and this host does not call those.",
                hint: "Start it with --allow-host \(destination.name) if this call is meant.")
        case .denied(let rule):
            return HTTPFailure(
                kind: .rejected, code: "PG2180",
                message: "\(whither ?? "\(origin) may not be called"): this host denies \(rule.text).",
                hint:
                    "Start it without --deny-host \(rule.text), or with a narrower one, if this call is meant."
            )
        case .unlisted:
            return HTTPFailure(
                kind: .rejected, code: "PG2180",
                message:
                    "\(whither ?? "\(origin) may not be called"): it is not among the only hosts that may.",
                hint: "Start this host with --only-host \(destination.name) too if this call is meant.")
        }
    }

    /// - Parameter fault: what was found out about the certificate.
    static func untrusted(
        _ destination: Destination, _ fault: CertificateFault?, isForAnother: Bool
    ) -> HTTPFailure {
        let reason =
            fault?.reason
            ?? (isForAnother
                ? "its certificate is for another name." : "its certificate is not trusted, or has expired.")
        return HTTPFailure(
            kind: .network, code: "PG2181",
            message: "Could not set up a secure connection to \(destination.name): \(reason)",
            hint: fault?.hint ?? "Look at its certificate: openssl s_client -connect \(destination.name)")
    }

    static func tooManyRedirects(_ destination: Destination) -> HTTPFailure {
        HTTPFailure(
            kind: .rejected, code: "PG2007",
            message: "\(destination.name) redirected more than \(maxRedirects) times.",
            hint: "Open the address in a browser to see where it leads, and call that one.")
    }

    /// - Parameters:
    ///   - bytes: the most that the call takes.
    ///   - size: how much it is, if the receiver said so.
    static func tooLarge(_ destination: Destination, limit bytes: Int, size: Int? = nil) -> HTTPFailure {
        let limit =
            bytes > 0 && bytes % 1_048_576 == 0
            ? "\(bytes / 1_048_576) MiB"
            : bytes > 0 && bytes % 1024 == 0 ? "\(bytes / 1024) KiB" : "\(bytes) bytes"
        let known = size.map { "has \($0) bytes, which " } ?? ""
        return HTTPFailure(
            kind: .limit, code: "PG2005",
            message: "The reply of \(destination.name) \(known)is larger than \(limit).",
            hint:
                "Ask the service for less at a time, or set `max_bytes` of the call higher (16 MiB at most).")
    }

    static func damaged(_ destination: Destination, coding: String) -> HTTPFailure {
        HTTPFailure(
            kind: .network, code: "PG2162",
            message:
                "The reply of \(destination.name) says that it is packed as \(coding), and can't be unpacked.",
            hint: "Set headers = { [\"Accept-Encoding\"] = \"identity\" } to have it sent as it is.")
    }

    static func timeout(_ destination: Destination, milliseconds: Int) -> HTTPFailure {
        let time = milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
        return HTTPFailure(
            kind: .timeout, code: "PG2003",
            message: "\(destination.name) did not answer in full within \(time).",
            hint: "Give the call a longer timeout if the service is known to be slow.")
    }

    static let interrupted = HTTPFailure(
        kind: .network, code: "PG2002", message: "The call was broken off before it was answered.",
        hint: "This happens when its run is cancelled or the host stops.")

    /// What to tell of an error of the client, the network or the resolver.
    ///
    /// - Parameter proxy: what the call went through.
    init(
        _ error: any Error, calling destination: Destination, timeoutMilliseconds: Int,
        through proxy: CallProxy? = nil
    ) {
        switch error {
        case let failure as HTTPFailure: self = failure
        case let refused as RefusedAddress: self = .refused(destination, refused.refusal, refused.address)
        case is CancellationError: self = .interrupted
        case let error as HTTPClientError where error == .cancelled: self = .interrupted
        case let error as HTTPClientError where error == .deadlineExceeded:
            self = .timeout(destination, milliseconds: timeoutMilliseconds)
        case let failure as LookupFailure: self = .unknownHost(destination, failure)
        case let error as NIOConnectionError where proxy != nil:
            let name = proxy.map { "the proxy \($0.name)" } ?? destination.name
            self = .unproxied(connectSentence(error, name))
        case let error as HTTPClientError where error == .proxyAuthenticationRequired:
            self = .unproxied("The proxy wants a user name and a password, or others than it was given.")
        case let error as HTTPClientError where error == .invalidProxyResponse:
            self = .unproxied("The proxy did not let the call to \(destination.name) through.")
        case let error as HTTPClientError where error == .httpProxyHandshakeTimeout:
            self = .unproxied("The proxy did not answer within \(connectSeconds) seconds.")
        case let error where isAlert(["ALERT_CERTIFICATE_REQUIRED"], error):
            self.init(
                kind: .network, code: "PG2182",
                message: "\(destination.name) wants a client certificate, and was shown none.",
                hint: "Start this host with --client-certificate \(destination.name)=FILE.")
        case let error where isAlert(certificateAlerts, error):
            self.init(
                kind: .network, code: "PG2182",
                message: "\(destination.name) did not accept this host's client certificate.",
                hint: "Check that it has not expired, and that the receiver knows who signed it.")
        case let error as HTTPClientError where error == .getConnectionFromPoolTimeout:
            self.init(
                kind: .network, code: "PG2002", message: networkSentence(error, destination.name),
                hint:
                    "Make fewer calls to it at once: `at_once` of a connector lets the others wait their turn."
            )
            isUnsent = true
        default:
            self.init(
                kind: .network, code: "PG2002", message: networkSentence(error, destination.name),
                hint:
                    "Check that the service is up and that its address is right."
            )
        }
    }

    private static func unproxied(_ message: String) -> HTTPFailure {
        HTTPFailure(
            kind: .network, code: "PG2185", message: message,
            hint: "Check --proxy, and what the proxy's own log says.")
    }

    private static func unknownHost(_ destination: Destination, _ failure: LookupFailure) -> HTTPFailure {
        switch failure {
        case .unknownName:
            HTTPFailure(
                kind: .network, code: "PG2002",
                message: "There is no host with the name \(destination.host).",
                hint: "Check the spelling of the address.")
        case .noAnswer:
            HTTPFailure(
                kind: .network, code: "PG2002",
                message: "The name \(destination.host) could not be looked up at the moment.",
                hint: "Check this machine's network connection and name servers.")
        }
    }
}

/// The sentence is chosen by the kind of error and never quotes one: its text could hold what was sent.
private func networkSentence(_ error: any Error, _ name: String) -> String {
    switch error {
    case let error as NIOConnectionError: connectSentence(error, name)
    case let error as IOError: socketSentence(error.errnoCode, name)
    case let error as HTTPClientError: clientSentence(error, name)
    case ChannelError.connectTimeout:
        "Could not connect to \(name): no answer within \(connectSeconds) seconds."
    case HTTPParserError.invalidEOFState, is ChannelError:
        "\(name) closed the connection before its reply was complete."
    case HTTPParserError.headerOverflow, is NIOHTTP2Errors.ExcessivelyLargeHeaderBlock:
        "The headers of what \(name) replied are too large."
    case is any NIOHTTP2Error: "\(name) broke off its reply."
    case is HTTPParserError: "What \(name) replied is not HTTP."
    case let error where isAlert(["ALERT_HANDSHAKE_FAILURE"], error):
        "Could not set up a secure connection to \(name): it wants a client certificate, or does not speak TLS "
            + "as this host does."
    case NIOSSLError.handshakeFailed:
        "Could not set up a secure connection to \(name): it does not speak TLS as this host does."
    case is NIOSSLError, is BoringSSLError: "The secure connection to \(name) broke."
    default: "The connection to \(name) failed (\(type(of: error)))."
    }
}

private func clientSentence(_ error: HTTPClientError, _ name: String) -> String {
    switch error {
    case .connectTimeout: "Could not connect to \(name): no answer within \(connectSeconds) seconds."
    case .tlsHandshakeTimeout:
        "Could not set up a secure connection to \(name): no answer within \(connectSeconds) seconds."
    case .getConnectionFromPoolTimeout:
        "All \(maxConnectionsPerHost) connections to \(name) stayed busy for \(connectSeconds) seconds."
    case .alreadyShutdown: "\(name) was not called: this host is stopping."
    case .remoteConnectionClosed: "\(name) closed the connection before its reply was complete."
    default: "The connection to \(name) failed (\(error.shortDescription))."
    }
}

private func connectSentence(_ error: NIOConnectionError, _ name: String) -> String {
    guard let last = error.connectionErrors.last?.error else {
        return "Could not connect to \(name): its name has no address."
    }
    return networkSentence(last, name)
}

private func socketSentence(_ number: CInt, _ name: String) -> String {
    switch number {
    case ECONNREFUSED: "Could not connect to \(name): connection refused."
    case ETIMEDOUT: "Could not connect to \(name): no answer."
    case ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL: "Could not connect to \(name): no network leads there."
    case ECONNRESET, EPIPE, ECONNABORTED: "\(name) broke the connection before its reply was complete."
    case EMFILE, ENFILE: "Could not connect to \(name): this host has too many files and connections open."
    default: "The connection to \(name) failed (system error \(number))."
    }
}

func isUntrustedCertificate(_ error: any Error) -> Bool { isAlert(["CERTIFICATE_VERIFY_FAILED"], error) }

/// What a receiver says that does not accept a client certificate.
private let certificateAlerts = [
    "ALERT_BAD_CERTIFICATE", "ALERT_UNSUPPORTED_CERTIFICATE", "ALERT_CERTIFICATE_REVOKED",
    "ALERT_CERTIFICATE_EXPIRED", "ALERT_CERTIFICATE_UNKNOWN", "ALERT_UNKNOWN_CA", "ALERT_ACCESS_DENIED",
]

/// Whether an error of the TLS library is of one of these kinds, which it tells only in its description.
private func isAlert(_ names: [String], _ error: any Error) -> Bool {
    let reason: String
    switch error {
    case NIOSSLError.handshakeFailed(let cause): reason = String(describing: cause)
    case let cause as BoringSSLError: reason = String(describing: cause)
    default: return false
    }
    return names.contains { reason.contains($0) }
}
