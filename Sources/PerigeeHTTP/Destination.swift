import Perigee

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Where a call goes: its URL, taken apart and found fit to be called.
struct Destination: Hashable, Sendable {
    /// Absolute, with its query; holds no user name.
    let url: String
    /// `http` or `https`.
    let scheme: String
    /// A name in lower case, or an address without brackets.
    let host: String
    let port: Int

    /// - Parameters:
    ///   - text: the URL.
    ///   - base: what a relative one starts from; a URL of a call has none.
    ///   - subject: what errors call it; they don't quote it, since a query or a path can hold a secret.
    init(
        _ text: String, from base: Destination? = nil, called subject: String = "The URL of this call"
    ) throws(HTTPFailure) {
        let origin = base.flatMap { URL(string: $0.url) }
        guard !text.isEmpty, let url = URL(string: text, relativeTo: origin)?.absoluteURL,
            let scheme = url.scheme?.lowercased()
        else {
            throw .unusable("\(subject) is not complete.", "Start it with https:// and the name of the host.")
        }
        guard scheme == "http" || scheme == "https" else {
            throw .unusable(
                "\(subject) starts with neither http:// nor https://.", "Only these two can be called.")
        }
        guard url.user(percentEncoded: true) == nil, url.password(percentEncoded: true) == nil else {
            throw .unusable(
                "\(subject) holds a user name or a password.",
                "Keep them out of it: use auth = secret \"NAME\" or a header.")
        }
        // Percent signs are refused together with whatever else does not belong into a name, so that no other
        // reader of the URL can see another host in it.
        guard let written = url.host(percentEncoded: true), !written.isEmpty,
            let host = canonicalHost(
                written.contains(":") && !written.hasPrefix("[") ? "[\(written)]" : written)
        else {
            throw .unusable(
                "\(subject) has no host name that can be called.",
                "Check the part after ://; a name with accents is written in its xn-- form.")
        }
        let port = url.port ?? (scheme == "https" ? 443 : 80)
        guard (1...65_535).contains(port), url.port != nil || !Destination.hasPort(url.absoluteString) else {
            throw .unusable("\(subject) has a port that is not one.", "A port is a number from 1 to 65535.")
        }
        self.url = url.absoluteString
        self.scheme = scheme
        self.host = host
        self.port = port
    }

    /// `crm.example:443`, the way that a host is named to people.
    var name: String { "\(bracketed):\(port)" }

    /// `http://127.0.0.1:9/`, all of the URL that is safe to show.
    var origin: String {
        port == (scheme == "https" ? 443 : 80)
            ? "\(scheme)://\(bracketed)/" : "\(scheme)://\(bracketed):\(port)/"
    }

    /// Whether a URL names a port, also one that `URL` could not read.
    private static func hasPort(_ url: String) -> Bool {
        let authority = url.drop { $0 != "/" }.dropFirst(2).prefix { !"/?#".contains($0) }
        let behindHost = authority.split(separator: "]", omittingEmptySubsequences: false).last ?? ""
        return behindHost.split(separator: ":", omittingEmptySubsequences: false).dropFirst().contains {
            !$0.isEmpty
        }
    }

    private var bracketed: String { host.contains(":") ? "[\(host)]" : host }
}
